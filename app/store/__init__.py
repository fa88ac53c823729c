"""PostgreSQL: every statement that dncd sends stands in this folder."""
