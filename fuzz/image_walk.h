/// What every fuzz target of a format does with a file: everything that the format's row offers.
///
/// Nothing here can be asked for more than the format promises, so each broken promise ends the
/// process with a message: an extent outside the disk, a file changed by a read-only open, a log
/// still dirty after its replay, an image that does not open again after a successful close.
#pragma once

#include "fuzz/sparse_input.h"
#include "vdisk/format.h"

namespace vdisk::fuzz {

/// Probe, check, dump, replay, walk read-only, then write on a copy, close, and open it again.
void walk(const Format& format, const SparseInput& input);

}  // namespace vdisk::fuzz
