/// What growing and shrinking a disk have in common: when it must not be done, and where the
/// partition table goes.
#pragma once

#include "engine/disk_core.h"
#include "partition/gpt_move.h"
#include "vdisk/operations.h"

namespace vdisk {

/// A change of the size invalidates every child (FORMATS 1.15, 2.9): refused with its name. The
/// directory of the image and the parent roots are looked through. Errors: has_children.
Status refuse_children(const Disk& disk, const OpenOptions& options);
/// Errors: parent_not_found, unless all parents are known.
Status require_parents(const Disk& disk);
/// Errors: wrong_state (V14).
Status refuse_saved_state(const Disk& disk);

Result<partition::PartitionTable> read_partitions(const Disk& disk);
/// The move of a GPT's backup to another end of this disk; empty: it is there already, there is no
/// GPT, or it does not fit.
Result<std::optional<partition::GptMove>> plan_gpt(const Disk& disk,
                                                   const partition::PartitionTable& table,
                                                   u64 new_size);
/// Errors: `code`, when somebody's data lie where the backup would go.
Status refuse_foreign_bytes(const Disk& disk, const partition::PartitionTable& table,
                            const partition::GptMove& move, Errc code);
/// Errors: wrong_state, if the primary is damaged and cannot be made anew.
Status require_movable_gpt(const Disk& disk, const partition::PartitionTable& table);
/// Makes a damaged primary anew, durably: the backup is going to move, and must not be the only
/// one.
Status rescue_gpt(Disk& disk, const partition::PartitionTable& table);
/// Makes the move durable step by step, as GptMove says.
Status move_gpt(Disk& disk, const partition::GptMove& move);

}  // namespace vdisk
