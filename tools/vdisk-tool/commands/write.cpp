/// write: bytes from the standard input, a file or a pattern into the disk; durable on exit 0.
#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "guest_range.h"
#include "images.h"
#include "options.h"
#include "size.h"
#include "streams.h"
#include "transfer.h"
#include "try.h"

namespace vdisk::tool {
namespace {

constexpr u64 chunk_size = 4 * mib;

class Write : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  using Fill = std::function<Result<std::size_t>(std::span<std::byte>)>;

  Status write_pattern(Disk& disk);
  Status write_input(Disk& disk);
  Status copy(Disk& disk, u64 end, const Fill& fill);
  [[nodiscard]] std::unexpected<Error> cut_short(Error error) const;

  std::filesystem::path path_;
  std::optional<std::filesystem::path> input_;
  std::optional<u8> pattern_;
  RangeOptions range_;
  OpenOptions open_{.access = Access::read_write};
  OutputOptions output_;
  u64 written_ = 0;
};

void Write::declare(Arguments& arguments) {
  arguments.positional("PATH", path_, "the image");
  arguments.offset("--offset", range_.offset, "where to begin in the disk (default 0)");
  arguments.size("--length", range_.length,
                 "how much to write (default: all of the input; needed with --pattern)");
  arguments.path("-i,--input", input_, "read this file (default: the standard input)");
  arguments.option(
      "--pattern", "BYTE",
      [this](const std::string& word) -> Status {
        TOOL_ASSIGN(const u64 value, parse_number(word, std::numeric_limits<u8>::max()));
        pattern_ = static_cast<u8>(value);
        return {};
      },
      "write this byte over and over: 0 to 255, or 0x00 to 0xff");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, open_);
  arguments.example("write disk.vhdx --input boot.bin", "from the start of the disk");
  arguments.example("write disk.vhdx --offset 1M --length 64K --pattern 0xAA", "a test pattern");
}

/// Writes what `fill` gives until it gives less than asked for, or `end` is reached.
Status Write::copy(Disk& disk, u64 end, const Fill& fill) {
  Transfer transfer("write", output_, end - range_.offset);
  std::vector<std::byte> buffer(chunk_size);
  const auto copy_chunks = [&]() -> Status {
    for (u64 offset = range_.offset; offset < end;) {
      // The first chunk ends at a chunk border, so that all others are aligned.
      const u64 wanted = std::min(end - offset, chunk_size - offset % chunk_size);
      const auto part = std::span(buffer).first(static_cast<std::size_t>(wanted));
      TOOL_ASSIGN(const std::size_t count, fill(part));
      TOOL_TRY(write_unaligned(disk, offset, part.first(count)));
      offset += count;
      written_ += count;
      TOOL_TRY(transfer.advance(count));
      if (count < part.size()) break;
    }
    return {};
  };
  return transfer.finish(copy_chunks());
}

Status Write::write_pattern(Disk& disk) {
  if (!range_.length) return usage_error("--pattern needs --length");
  TOOL_ASSIGN(const auto range, resolve_range(disk.size(), text_of(path_), range_));
  return copy(disk, range.offset + range.length,
              [this](std::span<std::byte> out) -> Result<std::size_t> {
                std::ranges::fill(out, std::byte{*pattern_});
                return out.size();
              });
}

std::unexpected<Error> Write::cut_short(Error error) const {
  error.message += fmt::format("; {} bytes were written", written_);
  return std::unexpected(std::move(error));
}

Status Write::write_input(Disk& disk) {
  TOOL_ASSIGN(auto input, InputStream::open(input_));
  auto wanted = range_;
  if (!wanted.length) wanted.length = input.remaining_size();
  // Unknown sizes are resolved to the end of the disk; what does not fit is told at the end.
  TOOL_ASSIGN(const auto range, resolve_range(disk.size(), text_of(path_), wanted));
  const auto fill = [&input](std::span<std::byte> out) { return input.read(out); };
  auto copied = copy(disk, range.offset + range.length, fill);
  if (!copied) return cut_short(std::move(copied).error());
  if (range_.length && written_ < range.length)
    return cut_short({Errc::end_of_file, fmt::format("{}: ends too early, expected {} bytes",
                                                     input.name(), range.length)});
  if (wanted.length) return {};
  std::byte next{};
  TOOL_ASSIGN(const std::size_t more, input.read(std::span(&next, 1)));
  if (more == 0) return {};
  return cut_short(
      {Errc::end_of_file, fmt::format("{}: the input goes on behind the end of the disk at {:#x}",
                                      text_of(path_), disk.size())});
}

Result<Exit> Write::run() {
  if (pattern_ && input_) return usage_error("--pattern and --input exclude each other");
  TOOL_ASSIGN(auto disk, Disk::open(path_, open_));
  warn_about_children(path_, open_);
  const auto done = pattern_ ? write_pattern(disk) : write_input(disk);
  const auto closed = disk.close();
  TOOL_TRY(done);
  TOOL_TRY(closed);
  if (output_.json) {
    print_json({{"path", text_of(path_)}, {"offset", range_.offset}, {"length", written_}});
  }
  print_result(output_, fmt::format("wrote {} at offset {} of {}", short_size(written_),
                                    range_.offset, escaped(text_of(path_))));
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_write() {
  return std::make_unique<Write>();
}

}  // namespace vdisk::tool
