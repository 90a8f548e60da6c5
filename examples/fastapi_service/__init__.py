"""A small service that assesses recordings: `app` serves requests, `assessments` does the work, `store` keeps it."""
