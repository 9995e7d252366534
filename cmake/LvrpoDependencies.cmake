# Third-party libraries. All from Debian 12 but LibTorch, which tools/setup.sh puts into .deps/torch.

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(nlohmann_json REQUIRED)
find_path(VALIJSON_INCLUDE valijson/validator.hpp REQUIRED)  # headers alone
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(GIF REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(TESSERACT REQUIRED IMPORTED_TARGET tesseract)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(pugixml CONFIG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)

if(LVRPO_WITH_TORCH)
  # find_package(Torch) of this wheel insists on a CUDA toolkit even for CPU use, so the targets are made here.
  if(DEFINED ENV{LVRPO_TORCH_DIR})
    set(_torch_default $ENV{LVRPO_TORCH_DIR})
  elseif(DEFINED ENV{LVRPO_DEPS})
    set(_torch_default $ENV{LVRPO_DEPS}/torch)
  else()
    set(_torch_default ${CMAKE_SOURCE_DIR}/.deps/torch)
  endif()
  set(LVRPO_TORCH_DIR ${_torch_default} CACHE PATH "LibTorch: a folder with include/ and lib/")
  if(NOT EXISTS ${LVRPO_TORCH_DIR}/lib/libtorch_cpu.so)
    message(FATAL_ERROR "No LibTorch in ${LVRPO_TORCH_DIR}: run tools/setup.sh, or set LVRPO_TORCH_DIR")
  endif()

  set(LVRPO_TORCH_INCLUDE ${LVRPO_TORCH_DIR}/include CACHE PATH "LibTorch's headers")

  # CUDA's headers, from its wheels; of a CUDA toolkit where there is one.
  set(LVRPO_CUDA_INCLUDE ${CMAKE_SOURCE_DIR}/.deps/cuda/include CACHE PATH "Folder of cuda_runtime_api.h")

  add_library(lvrpo_torch INTERFACE)
  # -idirafter: the wheel carries old protobuf headers that must not hide the system's.
  target_compile_options(lvrpo_torch INTERFACE
    "SHELL:-idirafter ${LVRPO_TORCH_INCLUDE}"
    "SHELL:-idirafter ${LVRPO_TORCH_INCLUDE}/torch/csrc/api/include")
  target_link_options(lvrpo_torch INTERFACE -Wl,-rpath,${LVRPO_TORCH_DIR}/lib -Wl,-rpath-link,${LVRPO_TORCH_DIR}/lib)
  target_link_libraries(lvrpo_torch INTERFACE
    ${LVRPO_TORCH_DIR}/lib/libtorch_cpu.so ${LVRPO_TORCH_DIR}/lib/libc10.so Threads::Threads)
  if(LVRPO_CUDA)
    # CUDA's runtime: in the wheels next to LibTorch, or of a toolkit.
    file(GLOB _cudart ${LVRPO_TORCH_DIR}/../nvidia/*/lib/libcudart.so.*)
    if(_cudart)
      list(GET _cudart 0 LVRPO_CUDART)
    else()
      find_library(LVRPO_CUDART cudart HINTS ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES lib64 REQUIRED)
    endif()
    get_filename_component(_cudart_folder ${LVRPO_CUDART} DIRECTORY)
    target_link_options(lvrpo_torch INTERFACE -Wl,-rpath,${_cudart_folder})
    target_link_libraries(lvrpo_torch INTERFACE -Wl,--no-as-needed ${LVRPO_TORCH_DIR}/lib/libtorch_cuda.so
                          ${LVRPO_TORCH_DIR}/lib/libc10_cuda.so -Wl,--as-needed ${LVRPO_CUDART})
  endif()

  # One precompiled torch/torch.h, shared by every target that uses torch (12-18 s a file without it).
  file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cc "")
  add_library(lvrpo_torch_pch OBJECT ${CMAKE_BINARY_DIR}/torch_pch.cc)
  target_link_libraries(lvrpo_torch_pch PRIVATE lvrpo_options lvrpo_torch)
  target_precompile_headers(lvrpo_torch_pch PRIVATE <torch/torch.h>)
endif()
