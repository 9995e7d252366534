# Compiler settings, and the functions every folder uses:
#   lvrpo_leaf(NAME [TORCH] [EXCLUDE file ...] DEPS ...)  one folder = one library: every .cc of this folder
#   lvrpo_library(NAME [TORCH] SOURCES ... DEPS ...)      a part of a folder that others link alone
#   lvrpo_binary(NAME [TORCH] SOURCES ... DEPS ...)       lands in build/<preset>/bin
#   lvrpo_test(NAME [TORCH] SOURCES ... DEPS ... [TIMEOUT s])   one GoogleTest binary, one ctest entry
#   lvrpo_timeout(TEST SECONDS)                           that long, and several times as long under sanitizers
#   lvrpo_folder_sources(VAR [EXCLUDE file ...])          every .cc of this folder
# DEPS names the leaves that a leaf includes and does not get from another of its DEPS (tests/layers checks it).
# TORCH adds LibTorch and the shared precompiled header; leave it out wherever torch is not used.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -DNDEBUG")  # for sanitizers: lines in their reports, half the time to compile
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

add_library(lvrpo_options INTERFACE)
target_include_directories(lvrpo_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(lvrpo_options INTERFACE -pthread -Wall -Wextra -Werror -Wno-unused-parameter)
target_link_libraries(lvrpo_options INTERFACE absl::status absl::statusor absl::strings absl::time absl::synchronization
                      absl::flat_hash_map Threads::Threads)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(lvrpo_options INTERFACE -Wthread-safety)
endif()
if(LVRPO_SANITIZE)
  add_compile_options(-fsanitize=${LVRPO_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LVRPO_SANITIZE})
endif()
if(LVRPO_SANITIZE MATCHES thread)
  add_library(lvrpo_tsan OBJECT ${CMAKE_SOURCE_DIR}/cmake/tsan.cc)
endif()

# What commit the programs are built from: one small file, asked for at each build. Tests do not link it.
set(LVRPO_COMMIT "" CACHE STRING "The commit that --version names where the sources have no .git")
set(_lvrpo_commit_file ${CMAKE_BINARY_DIR}/generated/build_commit.cc)
add_custom_target(lvrpo_commit_file BYPRODUCTS ${_lvrpo_commit_file}
                  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUT=${_lvrpo_commit_file} -DCOMMIT=${LVRPO_COMMIT}
                          -P ${CMAKE_SOURCE_DIR}/cmake/BuildCommit.cmake VERBATIM)
add_library(lvrpo_commit OBJECT ${_lvrpo_commit_file})
add_dependencies(lvrpo_commit lvrpo_commit_file)

function(_lvrpo_torch target)
  target_link_libraries(${target} PRIVATE lvrpo_torch)
  if(NOT target STREQUAL lvrpo_torch_pch)
    target_precompile_headers(${target} REUSE_FROM lvrpo_torch_pch)
  endif()
endfunction()

function(lvrpo_library name)
  cmake_parse_arguments(A "TORCH" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC lvrpo_options ${A_DEPS})
  if(A_TORCH)
    target_link_libraries(${name} PUBLIC lvrpo_torch)
    _lvrpo_torch(${name})
  endif()
endfunction()

function(lvrpo_leaf name)
  cmake_parse_arguments(A "TORCH" "" "EXCLUDE;DEPS" ${ARGN})
  set(torch)
  if(A_TORCH)
    set(torch TORCH)
  endif()
  set(exclude)
  if(A_EXCLUDE)
    set(exclude EXCLUDE ${A_EXCLUDE})
  endif()
  lvrpo_folder_sources(sources ${exclude})
  lvrpo_library(${name} ${torch} SOURCES ${sources} DEPS ${A_DEPS})
endfunction()

function(lvrpo_binary name)
  cmake_parse_arguments(A "TORCH" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE lvrpo_options ${A_DEPS})
  if(TARGET lvrpo_tsan)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:lvrpo_tsan>)
  endif()
  if(NOT CMAKE_CURRENT_SOURCE_DIR MATCHES "^${CMAKE_SOURCE_DIR}/tests")
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:lvrpo_commit>)
  endif()
  if(A_TORCH)
    # -fPIC as in libraries, instead of -fPIE: they share one precompiled header.
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
    _lvrpo_torch(${name})
  endif()
endfunction()

function(lvrpo_timeout test seconds)
  if(LVRPO_SANITIZE)
    math(EXPR seconds "${seconds} * 4")
  endif()
  set_tests_properties(${test} PROPERTIES TIMEOUT ${seconds})
endfunction()

function(lvrpo_test name)
  cmake_parse_arguments(A "TORCH" "TIMEOUT" "SOURCES;DEPS" ${ARGN})
  set(torch)
  if(A_TORCH)
    set(torch TORCH)
  endif()
  lvrpo_binary(${name} ${torch} SOURCES ${A_SOURCES} DEPS ${A_DEPS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(${name} PRIVATE LVRPO_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             LVRPO_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  lvrpo_timeout(${name} ${A_TIMEOUT})
endfunction()

function(lvrpo_folder_sources variable)
  cmake_parse_arguments(A "" "" "EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.cc)
  if(A_EXCLUDE)
    list(REMOVE_ITEM sources ${A_EXCLUDE})
  endif()
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()
