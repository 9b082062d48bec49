"""What all pages share: the document, pictures, tables, two languages."""
