import harbour from "./assets/harbour.jpg";
import logo from "./assets/logo.svg";
import { AddItem } from "./components/AddItem";
import { BuildInfo } from "./components/BuildInfo";
import { ItemList } from "./components/ItemList";
import { TokenField } from "./components/TokenField";
import { useBackendHealth } from "./useBackendHealth";
import { useItems } from "./useItems";
import { useToken } from "./useToken";

export function App() {
  const [token, setToken] = useToken();
  const board = useItems(token);
  const backend = useBackendHealth(board.round);

  return (
    <>
      <header className="banner">
        <img className="banner-picture" src={harbour} alt="" width="1600" height="420" />
        <div className="banner-title">
          <img src={logo} alt="" width="56" height="56" />
          <div>
            <h1>Slipway board</h1>
            <p>What is on the slipway, and what is afloat.</p>
          </div>
        </div>
      </header>
      <main>
        <TokenField token={token} onChange={setToken} />
        <AddItem disabled={board.phase !== "ready"} onAdd={board.add} />
        <ItemList board={board} />
      </main>
      <BuildInfo backend={backend} />
    </>
  );
}
