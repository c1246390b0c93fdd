"""The world: the only modules with processes, files, sockets and clocks."""
