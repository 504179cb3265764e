# cmake --install: headers, both libraries, vdisk-tool, vdisk-config.cmake and vdisk.pc.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(config_directory ${CMAKE_INSTALL_LIBDIR}/cmake/vdisk)

set(libraries vdisk)
if(VDISK_BUILD_SHARED)
  list(APPEND libraries vdisk_shared)
endif()
install(TARGETS ${libraries} EXPORT vdisk-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET vdisk-tool)
  install(TARGETS vdisk-tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY libvdisk/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(EXPORT vdisk-targets NAMESPACE vdisk:: DESTINATION ${config_directory})

configure_package_config_file(cmake/vdisk-config.cmake.in vdisk-config.cmake
  INSTALL_DESTINATION ${config_directory})
write_basic_package_version_file(vdisk-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vdisk-config.cmake
              ${PROJECT_BINARY_DIR}/vdisk-config-version.cmake
        DESTINATION ${config_directory})

# The tree may be moved: vdisk.pc finds the prefix from its own place.
file(RELATIVE_PATH VDISK_PC_TO_PREFIX
  /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/vdisk.pc.in vdisk.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/vdisk.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
