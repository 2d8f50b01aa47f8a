"""Small things for authors of libraries; nothing of them knows the engine."""
