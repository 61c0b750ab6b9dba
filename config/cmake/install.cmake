# `cmake --install build/release --prefix P`: the library for find_package(troupe),
# the `troupe` program, the examples. Headers keep their tree below
# include/troupe; those meant for users are <troupe/runtime.hpp> and its
# neighbours.
get_property(layers GLOBAL PROPERTY TROUPE_LAYERS)
install(TARGETS ${layers} EXPORT troupe LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS troupe RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS troupe_client troupe_examples LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY actors nodes DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/troupe
        FILES_MATCHING PATTERN "*.hpp")
install(DIRECTORY ${PROJECT_BINARY_DIR}/include/troupe DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT troupe NAMESPACE troupe:: FILE troupe-targets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/troupe)
install(FILES config/cmake/troupe-config.cmake config/cmake/FindCAF.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/troupe)
