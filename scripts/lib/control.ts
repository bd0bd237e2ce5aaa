// SPDX-License-Identifier: Apache-2.0
/** What a running supervisor says by its control socket, for labs and benchmarks. */
import { Client, type ShowFilter, type Topic, type TopicRows } from '../../src/rpc/client.js';

/** A connection to the supervisor with this socket, for as long as `use` runs. */
export async function withClient<T>(
  socket: string,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await Client.open(socket);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** All rows of `sealane show TOPIC`. */
export async function rowsOf<T extends Topic>(
  client: Client,
  topic: T,
  filter: ShowFilter = {},
): Promise<TopicRows[T][]> {
  const rows: TopicRows[T][] = [];
  for await (const row of client.show(topic, filter)) rows.push(row);
  return rows;
}

/** The same, by a connection of its own. */
export async function show<T extends Topic>(
  socket: string,
  topic: T,
  filter: ShowFilter = {},
): Promise<TopicRows[T][]> {
  return withClient(socket, async (client) => rowsOf(client, topic, filter));
}
