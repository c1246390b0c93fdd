"""What a person or a program reads: values to text, JSON and Markdown. Nothing here writes to a stream."""
