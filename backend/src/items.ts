import type { Database, Row } from "./database.ts";

export interface Item {
  readonly id: number;
  readonly title: string;
  readonly done: boolean;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
}

export interface Items {
  list(): Item[];
  /** The new item, or undefined when the list is full. */
  add(title: string): Item | undefined;
  /** The changed item, or undefined when there is none of this id. */
  tick(id: number, done: boolean): Item | undefined;
  /** Whether there was such an item. */
  remove(id: number): boolean;
}

const COLUMNS = "id, title, done, created_at";

/** The items in the database; `capacity` bounds how many there can be. */
export function itemsIn(database: Database, capacity: number): Items {
  const first = (sql: string, values: Parameters<Database["query"]>[1]) =>
    database.query(sql, values).map(toItem)[0];
  return {
    list: () => database.query(`SELECT ${COLUMNS} FROM items ORDER BY id`).map(toItem),
    add: (title) =>
      first(
        `INSERT INTO items (title, created_at) SELECT ?, ?
         WHERE (SELECT count(*) FROM items) < ? RETURNING ${COLUMNS}`,
        [title, new Date().toISOString(), capacity],
      ),
    tick: (id, done) =>
      first(`UPDATE items SET done = ? WHERE id = ? RETURNING ${COLUMNS}`, [done, id]),
    remove: (id) => database.query("DELETE FROM items WHERE id = ? RETURNING id", [id]).length > 0,
  };
}

function toItem(row: Row): Item {
  return {
    id: Number(row.id),
    title: String(row.title),
    done: row.done === 1,
    createdAt: String(row.created_at),
  };
}
