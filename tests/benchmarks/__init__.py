"""Speed and memory as paired ratios: the same work at two sizes, or two ways, in turn on the same machine."""
