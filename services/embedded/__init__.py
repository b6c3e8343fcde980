"""What embedded mode needs beside the services: its files, backups and retention."""
