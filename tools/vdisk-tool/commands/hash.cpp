/// hash: one digest for the content of a disk, whatever image holds it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "manifest_file.h"
#include "options.h"
#include "run_job.h"

namespace vdisk::tool {
namespace {

class Hash : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Result<Exit> print_manifest();

  HashOptions options_;
  OutputOptions output_;
  bool blocks_ = false;
  std::optional<u64> block_size_;
};

void Hash::declare(Arguments& arguments) {
  arguments.positional("PATH", options_.path, "the image");
  arguments.action(
      "--sha256", [this] { options_.algorithm = DigestAlgorithm::sha256; },
      "SHA-256, as other tools compute it of a raw copy (default: XXH3-128)");
  arguments.flag("--blocks", blocks_,
                 "a manifest: the digest of every block that is not zero, as JSON for changes");
  arguments.size("--block-size", block_size_,
                 "--blocks: a power of two from 4K to 256M (default 1M)");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open, {.only_reads = true});
  arguments.example("hash disk.vhdx", "equal for every image with this content");
  arguments.example("hash disk.vhdx --sha256", "what sha256sum says of a raw copy");
  arguments.example("hash disk.vhdx --blocks > monday.json", "for `changes --since monday.json`");
}

Result<Exit> Hash::print_manifest() {
  const ManifestOptions options{.path = options_.path,
                                .block_size = block_size_.value_or(default_manifest_block),
                                .algorithm = options_.algorithm,
                                .open = options_.open};
  TOOL_ASSIGN(const auto manifest, run_job<Manifest>("hash", output_, [&](Progress& progress) {
                return make_manifest(options, progress);
              }));
  write_manifest(manifest, print);
  return Exit::success;
}

Result<Exit> Hash::run() {
  if (block_size_ && !blocks_) return usage_error("--block-size goes with --blocks");
  if (blocks_) return print_manifest();
  TOOL_ASSIGN(const auto digest, run_job<Digest>("hash", output_, [this](Progress& progress) {
                return hash(options_, progress);
              }));
  if (output_.json) {
    print_json({{"algorithm", digest.algorithm},
                {"digest", digest.hex},
                {"virtual_size", digest.virtual_size},
                {"bytes_hashed", digest.bytes_hashed}});
  } else {
    print_line(fmt::format("{}  {}", digest.hex, escaped(text_of(options_.path))));
  }
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_hash() {
  return std::make_unique<Hash>();
}

}  // namespace vdisk::tool
