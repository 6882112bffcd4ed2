"""What is read and written as files: one reader a form, with limits, and one writer for all."""
