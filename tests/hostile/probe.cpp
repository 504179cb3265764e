/// Opens, reads and checks one image through the public interface and says what came of it, as one
/// JSON document: for each step success or the error in full. What a guest reads is left in a file.
///
///     hostile_probe IMAGE SECTORS [FORMAT]
///
/// SECTORS receives every sector that is not zero: u64 number (host byte order), 512 bytes.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vdisk/disk.h"
#include "vdisk/operations.h"

namespace {

using nlohmann::json;
using vdisk::u64;

constexpr u64 sector_size = 512;
constexpr u64 piece_size = vdisk::mib;

json described(const vdisk::Error& error) {
  json out{{"ok", false},
           {"code", vdisk::name(error.code)},
           {"kind", vdisk::name(vdisk::kind(error.code))},
           {"message", error.message}};
  if (error.offset) out["offset"] = *error.offset;
  return out;
}

json described(const vdisk::Status& status) {
  return status ? json{{"ok", true}} : described(status.error());
}

/// Writes the sectors of a piece that are not zero.
void save(std::ofstream& out, u64 offset, std::span<const std::byte> piece) {
  for (u64 at = 0; at < piece.size(); at += sector_size) {
    const auto sector = piece.subspan(at, std::min<u64>(sector_size, piece.size() - at));
    const bool zero = std::ranges::all_of(sector, [](std::byte b) { return b == std::byte{}; });
    if (zero) continue;
    const u64 number = (offset + at) / sector_size;
    std::vector<char> bytes(sector_size);
    std::ranges::transform(sector, bytes.begin(), [](std::byte b) { return static_cast<char>(b); });
    std::string head(sizeof number, '\0');
    for (std::size_t n = 0; n < sizeof number; ++n) head[n] = static_cast<char>(number >> (8 * n));
    out.write(head.data(), static_cast<std::streamsize>(head.size()));
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
}

/// Reads one run of data through the disk; holes of the file below it are skipped.
vdisk::Status read_run(const vdisk::Disk& disk, const vdisk::MappedExtent& run,
                       std::ofstream& out) {
  std::vector<std::byte> buffer(piece_size);
  for (u64 done = 0; done < run.length;) {
    u64 length = std::min(piece_size, run.length - done);
    auto hole = disk.layer_file(run.depth).next_hole(run.file_offset + done);
    if (!hole) return std::unexpected(std::move(hole).error());
    const bool in_hole = hole->length > sector_size && hole->offset == run.file_offset + done;
    if (in_hole) {
      done += std::min(run.length - done, hole->length / sector_size * sector_size);
      continue;
    }
    const auto piece = std::span(buffer).first(length);
    if (auto status = disk.read(run.offset + done, piece); !status) return status;
    save(out, run.offset + done, piece);
    done += length;
  }
  return {};
}

vdisk::Status read_all(const vdisk::Disk& disk, std::ofstream& out) {
  for (u64 offset = 0; offset < disk.size();) {
    auto run = disk.extent_at(offset, disk.size() - offset);
    if (!run) return std::unexpected(std::move(run).error());
    if (run->state == vdisk::State::data) {
      if (auto status = read_run(disk, *run, out); !status) return status;
    }
    offset += run->length;
  }
  return {};
}

json open_and_read(const std::string& image, vdisk::OpenOptions options,
                   const std::string& sectors) {
  options.parents = vdisk::ParentPolicy::beside;
  auto disk = vdisk::Disk::open(image, options);
  if (!disk) return described(disk.error());
  std::ofstream out(sectors, std::ios::binary);
  json result = described(read_all(*disk, out));
  result["size"] = disk->size();
  return result;
}

json open_alone(const std::string& image, const vdisk::OpenOptions& options) {
  auto disk = vdisk::Disk::open(image, options);
  if (!disk) return described(disk.error());
  auto layer = disk->layer(0);
  if (!layer) return described(layer.error());
  return {{"ok", true}, {"size", disk->size()}, {"dirty", layer->dirty}};
}

json check(const std::string& image, const vdisk::OpenOptions& open) {
  vdisk::CheckOptions options{.path = image, .chain = true, .open = open};
  options.open.parents = vdisk::ParentPolicy::beside;
  vdisk::Progress progress;
  const auto reports = vdisk::check(options, progress);
  if (!reports) return described(reports.error());
  json findings = json::array();
  for (const vdisk::LayerReport& layer : *reports) {
    for (const vdisk::Finding& finding : layer.report.findings) {
      findings.push_back({{"id", finding.id},
                          {"severity", vdisk::name(finding.severity)},
                          {"offset", finding.offset},
                          {"message", finding.message}});
    }
  }
  return {{"ok", true}, {"findings", findings}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 3;
  vdisk::OpenOptions options;
  if (argc == 4) options.format = argv[3];
  const json result{{"open", open_alone(argv[1], options)},
                    {"read", open_and_read(argv[1], options, argv[2])},
                    {"check", check(argv[1], options)}};
  std::puts(result.dump(1, ' ', true, json::error_handler_t::replace).c_str());
  return 0;
}
