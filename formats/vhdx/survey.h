/// Everything that can be known about a file that may be damaged: each structure is judged for
/// itself, and a broken one only takes along what cannot be found without it.
#pragma once

#include "formats/vhdx/layout.h"
#include "formats/vhdx/objections.h"

namespace vdisk::vhdx {

struct Survey {
  Layout layout;               ///< as far as known
  bool headers_known = false;  ///< there is a current header, of our version
  bool log_usable = false;     ///< it names a log that can be read
  bool regions_known = false;  ///< the place of the BAT and of the metadata
  bool map_known = false;      ///< the BAT can be walked
  bool replayed = false;       ///< the log is dirty, and the rest is as it would leave it
  Objections objections{Objections::Mode::collect};
};

/// Identifier and headers: what does not depend on the log. Errors: io.
[[nodiscard]] Result<Survey> survey_headers(const File& file);
/// The rest, in the file as its log would leave it. Errors: io.
[[nodiscard]] Status survey_tables(const File& view, Survey& survey);

/// Whether an error means that the file could not be read, not that it breaks a rule.
[[nodiscard]] bool is_failure_to_read(const Error& error);

}  // namespace vdisk::vhdx
