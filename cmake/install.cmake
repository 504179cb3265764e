# cmake --install: headers, both libraries, vdisk-tool, the Python package, manual pages and
# completions, vdisk-config.cmake and vdisk.pc. The components are the packages of package.cmake.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(config_directory ${CMAKE_INSTALL_LIBDIR}/cmake/vdisk)

install(TARGETS vdisk EXPORT vdisk-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libvdisk-dev
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(VDISK_BUILD_SHARED)
  install(TARGETS vdisk_shared EXPORT vdisk-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libvdisk0
    NAMELINK_COMPONENT libvdisk-dev
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
install(DIRECTORY libvdisk/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT libvdisk-dev FILES_MATCHING PATTERN "*.h")
install(EXPORT vdisk-targets NAMESPACE vdisk:: DESTINATION ${config_directory}
        COMPONENT libvdisk-dev)

configure_package_config_file(cmake/vdisk-config.cmake.in vdisk-config.cmake
  INSTALL_DESTINATION ${config_directory})
write_basic_package_version_file(vdisk-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vdisk-config.cmake
              ${PROJECT_BINARY_DIR}/vdisk-config-version.cmake
        DESTINATION ${config_directory} COMPONENT libvdisk-dev)

# The tree may be moved: vdisk.pc finds the prefix from its own place.
file(RELATIVE_PATH VDISK_PC_TO_PREFIX
  /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/vdisk.pc.in vdisk.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/vdisk.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT libvdisk-dev)

if(VDISK_BUILD_SHARED)
  install(DIRECTORY python/vdisk DESTINATION lib/python3/dist-packages
          COMPONENT python3-vdisk FILES_MATCHING PATTERN "*.py" PATTERN "py.typed")
endif()

if(TARGET vdisk-tool)
  install(TARGETS vdisk-tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT vdisk-tool)
  include(cmake/manual.cmake)
endif()
if(PROJECT_IS_TOP_LEVEL)
  include(cmake/package.cmake)
endif()
