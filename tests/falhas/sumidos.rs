//! Quem some sem se despedir: a máquina que desliga, o cabo que sai. Nada chega dele, nem um fim.
//!
//! O corte é de verdade: servidor e clientes ficam em uma rede só deles (`unshare -n`), que se desliga.

use super::*;

use std::process::{Command, Stdio};

use testes::binario;

/// Abre o servidor na rede só dele, conecta dois (um que já falou e um que não), desliga a rede, e espera o
/// servidor dar por eles. Diz quantos segundos demorou, e o registro.
const ROTEIRO: &str = r#"
ip link set lo up || exit 77
"$1" --registro "$2" 2>/dev/null &
servidor=$!
until exec 3<>/dev/tcp/127.0.0.1/12346; do sleep 0.05; done 2>/dev/null
printf 'CONSULTAR\n' >&3 && read -r resposta <&3
exec 4<>/dev/tcp/127.0.0.1/12346
until [ "$(grep -c conectou "$2")" = 2 ]; do sleep 0.05; done
ip link set lo down
segundos=0
until [ "$(grep -c sumiu "$2")" = 2 ] || [ $segundos = 90 ]; do sleep 1; segundos=$((segundos + 1)); done
kill $servidor; wait $servidor
echo "$resposta; $segundos s; código $?"
"#;

#[test]
fn quem_some_sem_se_despedir_devolve_o_lugar() {
    if quantas(0, 1) == 0 {
        // Dura mais do que o prazo, que é de 40 s.
        return println!("pulado: só com FALHAS=completo");
    }
    let pasta = tempfile::tempdir().unwrap();
    let registro = pasta.path().join("registro");
    let mut roteiro = Command::new("unshare");
    roteiro.args(["-n", "bash", "-c", ROTEIRO, "bash"]).arg(binario("servidor")).arg(&registro);
    let Ok(saida) = roteiro.stdin(Stdio::null()).output() else {
        return println!("pulado: não há unshare(1) nesta máquina");
    };
    let dito = String::from_utf8_lossy(&saida.stdout);
    if !saida.status.success() {
        return println!("pulado: não se pode ter uma rede à parte ({})", saida.status);
    }
    let segundos = dito
        .strip_prefix("Estoque atual: 10; ")
        .and_then(|resto| resto.strip_suffix(" s; código 0\n"))
        .and_then(|segundos| segundos.parse::<u64>().ok());
    let log = std::fs::read_to_string(&registro).unwrap();
    let segundos = segundos.unwrap_or_else(|| panic!("{dito}\n{log}"));
    assert!((30..60).contains(&segundos), "{segundos} s\n{log}");
    println!(
        "falha | quem some sem se despedir | 2 clientes, os lugares livres em {segundos} s | |"
    );
}
