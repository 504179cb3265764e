/// hash: one digest for the content of a disk, whatever image holds it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "run_job.h"

namespace vdisk::tool {
namespace {

class Hash : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  HashOptions options_;
  OutputOptions output_;
};

void Hash::declare(Arguments& arguments) {
  arguments.positional("PATH", options_.path, "the image");
  arguments.action(
      "--sha256", [this] { options_.algorithm = DigestAlgorithm::sha256; },
      "SHA-256, as other tools compute it of a raw copy (default: XXH3-128)");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open, {.only_reads = true});
  arguments.example("hash disk.vhdx", "equal for every image with this content");
  arguments.example("hash disk.vhdx --sha256", "what sha256sum says of a raw copy");
}

Result<Exit> Hash::run() {
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
