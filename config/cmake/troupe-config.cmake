# find_package(troupe) defines troupe::troupe, all that a program needs to embed
# a node, and troupe_plugin(NAME SOURCES...) for plugins.
include(CMakeFindDependencyMacro)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_dependency(Threads)
find_dependency(CAF 0.17.6 COMPONENTS core io)
find_dependency(nlohmann_json 3.11)
find_dependency(Boost 1.74 COMPONENTS program_options)
find_dependency(prometheus-cpp COMPONENTS core io)
find_dependency(spdlog)
find_dependency(SQLiteCpp)
find_dependency(PostgreSQL 14)
find_dependency(OpenSSL 3.0)
include(${CMAKE_CURRENT_LIST_DIR}/troupe-targets.cmake)

if(NOT TARGET troupe::troupe)
  add_library(troupe::troupe INTERFACE IMPORTED)
  set_target_properties(troupe::troupe PROPERTIES
    INTERFACE_LINK_LIBRARIES troupe::nodes)
endif()

function(troupe_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE troupe::core)
  target_compile_options(${name} PRIVATE -fno-gnu-unique)
  set_target_properties(${name} PROPERTIES PREFIX "")
endfunction()
