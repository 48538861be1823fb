"""Push a file of LLM prompts through every Azure OpenAI quota you own."""
