/// Early return on errors. The macros are the only ones of the library.
#pragma once

#include <utility>

#include "vdisk/error.h"

#define VDISK_CONCAT_INNER(a, b) a##b
#define VDISK_CONCAT(a, b) VDISK_CONCAT_INNER(a, b)

/// Returns the error of a Status or Result expression, if it holds one.
#define VDISK_TRY(expression)                                  \
  do {                                                         \
    if (auto vdisk_status = (expression); !vdisk_status)       \
      return std::unexpected(std::move(vdisk_status).error()); \
  } while (false)

/// `VDISK_ASSIGN(auto size, file.size());` declares or assigns the value, or returns the error.
#define VDISK_ASSIGN(target, expression) \
  VDISK_ASSIGN_INNER(VDISK_CONCAT(vdisk_result_, __LINE__), target, expression)
#define VDISK_ASSIGN_INNER(result, target, expression)            \
  auto result = (expression);                                     \
  if (!result) return std::unexpected(std::move(result).error()); \
  target = *std::move(result)
