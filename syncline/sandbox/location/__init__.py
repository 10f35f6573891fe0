"""The data of one HighLevel location: its documents, their forms, and how they change."""
