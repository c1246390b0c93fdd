"""Where the sandbox's programs come from: exact images, Go modules, or a directory."""
