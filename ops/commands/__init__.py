"""The commands of `kennel`, a module for each group. Each imports what it needs when it runs."""
