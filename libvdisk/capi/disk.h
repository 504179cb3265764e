/// vdisk_disk: a Disk behind the C interface.
#pragma once

#include <string>
#include <vector>

#include "vdisk.h"
#include "vdisk/disk.h"

struct vdisk_disk {
  vdisk::Disk disk;
  std::vector<std::string> paths;  ///< of the layers
};
