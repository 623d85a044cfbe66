"""The batch API of OpenAI and compatible providers: requests as a file, answers as a file within a day."""
