# Language, warnings and sanitizers for everything that is built here.
# As a part of another project only this directory and those below it are touched.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Type of build" FORCE)
  endif()
endif()

add_library(vdisk_warnings INTERFACE)
target_compile_options(vdisk_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  # The stable algorithms of libstdc++ 12 call a function that libstdc++ 12 itself deprecates;
  # clang blames the caller.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
  $<$<BOOL:${VDISK_WERROR}>:-Werror>)

if(VDISK_SANITIZE)
  add_compile_options(-fsanitize=${VDISK_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${VDISK_SANITIZE})
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
if(VDISK_BUILD_FUZZERS)
  # Coverage for the fuzzer in all code; its main() only in the targets (fuzz/CMakeLists.txt).
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
