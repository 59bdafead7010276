"""The site of the documents (`make docs`): MkDocs with Material for MkDocs, and the pages that are written for it."""
