"""The trained student in the forms that others load: adapter, merged weights, and GGUF for llama.cpp."""
