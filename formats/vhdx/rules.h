/// Refusals that name the rule of FORMATS 5.2 they stand for.
///
/// Every broken rule of VHDX becomes an Error whose message ends in `(Xn)`: open shows it to the
/// person, check takes the id of its finding from it.
#pragma once

#include <string>
#include <string_view>

#include "vdisk/error.h"
#include "vdisk/format.h"

namespace vdisk::vhdx {

/// No sane file is larger: 2^28 MiB, what openvmm accepts as FileOffsetMB. An offset beyond it is
/// corrupt; one that merely lies behind the end of the file means that the file is truncated.
inline constexpr u64 largest_file_size = 256 * tib;

/// A broken rule; `message` is `<structure> at <offset>: <found>, expected <expected>`.
[[nodiscard]] std::unexpected<Error> broken(int rule, Errc code, u64 offset, std::string message);
/// The rule named by an error of broken(), e.g. "X21"; the name of the code for other errors.
[[nodiscard]] std::string rule_of(const Error& error);
/// The finding of check that an error of broken() stands for.
[[nodiscard]] Finding finding_of(const Error& error);
/// `rule` as findings and warnings write it.
[[nodiscard]] std::string rule_name(int rule);

/// Tells a place behind the end of the file (truncated) from one that can never be right.
[[nodiscard]] Errc place_error(u64 offset, u64 length, Errc impossible);

}  // namespace vdisk::vhdx
