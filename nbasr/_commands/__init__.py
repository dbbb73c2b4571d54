"""What a person types, in a cell or a shell: words, options, sources and commands."""
