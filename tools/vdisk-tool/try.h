/// Early return on errors, for the tool's own functions (the library's macros are internal to it).
#pragma once

#include <utility>

#include "vdisk/error.h"

#define TOOL_CONCAT_INNER(a, b) a##b
#define TOOL_CONCAT(a, b) TOOL_CONCAT_INNER(a, b)

/// Returns the error of a Status or Result expression, if it holds one.
#define TOOL_TRY(expression)                                  \
  do {                                                        \
    if (auto tool_status = (expression); !tool_status)        \
      return std::unexpected(std::move(tool_status).error()); \
  } while (false)

/// `TOOL_ASSIGN(auto disk, open());` declares or assigns the value, or returns the error.
#define TOOL_ASSIGN(target, expression) \
  TOOL_ASSIGN_INNER(TOOL_CONCAT(tool_result_, __LINE__), target, expression)
#define TOOL_ASSIGN_INNER(result, target, expression)             \
  auto result = (expression);                                     \
  if (!result) return std::unexpected(std::move(result).error()); \
  target = *std::move(result)
