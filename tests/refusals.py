"""By which errors the databases refuse a statement."""

import sqlite3

import psycopg

INTEGRITY_ERRORS = (sqlite3.IntegrityError, psycopg.IntegrityError)
SQL_ERRORS = (sqlite3.Error, psycopg.Error)
