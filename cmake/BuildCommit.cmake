# Writes OUT, which says what commit of SOURCE a program is built from; unchanged when it is the same as before.
if(NOT COMMIT)
  set(COMMIT "$ENV{LVRPO_COMMIT}")
endif()
if(NOT COMMIT)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude "*"
                  OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
file(WRITE ${OUT}.new "extern \"C\" const char* lvrpo_build_commit() { return \"${COMMIT}\"; }\n")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUT}.new ${OUT})
