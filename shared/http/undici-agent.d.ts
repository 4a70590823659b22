/** undici's client without its index, which would load fetch, WebSocket, caches and mocks as well: a third of a bundle. */
declare module 'undici/lib/dispatcher/agent.js' {
  import { Agent } from 'undici';
  export default Agent;
}
