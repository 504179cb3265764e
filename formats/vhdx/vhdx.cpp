#include "formats/vhdx/vhdx.h"

#include <array>

#include "base/bytes.h"
#include "formats/vhdx/check.h"
#include "formats/vhdx/create.h"
#include "formats/vhdx/dump.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/rebuild.h"
#include "formats/vhdx/repair.h"
#include "formats/vhdx/replay.h"
#include "formats/vhdx/structures.h"

namespace vdisk::vhdx {

namespace {

constexpr std::array<std::string_view, 2> extensions{".vhdx", ".avhdx"};

Match probe(const ProbeWindow& window) {
  const auto signature = as_bytes(file_identifier_signature);
  if (window.head.size() < signature.size()) return Match::none;
  return std::ranges::equal(window.head.first(signature.size()), signature) ? Match::head
                                                                            : Match::none;
}

}  // namespace

constinit const Format format{.name = format_name,
                              .extensions = extensions,
                              .matches_any_content = false,
                              .probe = probe,
                              .needs_recovery = needs_recovery,
                              .recover = recover,
                              .open = open_image,
                              .complete = complete,
                              .create = create,
                              .check = check,
                              .dump = dump,
                              .repair = repair,
                              .rebuild = rebuild};

}  // namespace vdisk::vhdx
