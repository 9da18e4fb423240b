interface Props {
  token: string;
  onChange: (token: string) => void;
}

export function TokenField({ token, onChange }: Props) {
  return (
    <form className="card" aria-label="Access" onSubmit={(event) => { event.preventDefault(); }}>
      <label htmlFor="token">Access token</label>
      <input
        id="token"
        type="password"
        autoComplete="off"
        spellCheck={false}
        value={token}
        aria-describedby="token-help"
        onChange={(event) => { onChange(event.target.value.trim()); }}
      />
      <p id="token-help" className="help">
        Reading needs none; changes do. It is forgotten when this tab closes.
      </p>
    </form>
  );
}
