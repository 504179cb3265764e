/// Promises that a fuzz target holds the library to: a broken one ends the process with a message.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "vdisk/error.h"

namespace vdisk::fuzz {

[[noreturn]] inline void broken(const std::string& text) {
  std::fprintf(stderr, "broken promise: %s\n", text.c_str());
  std::abort();
}

/// Where the text costs something and is asked for often, see broken().
inline void require(bool promise, const std::string& text) {
  if (!promise) broken(text);
}

template <class T>
void require_success(const Result<T>& result, const char* what) {
  require(result.has_value(), result ? "" : std::string(what) + ": " + result.error().message);
}

}  // namespace vdisk::fuzz
