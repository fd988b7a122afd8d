//! Servidores que vendem um estoque só, a multidão diante de todos, e a conferência: o que cada cliente ouviu contra
//! o que o etcd guarda, refeita a partir do CSV e do `servidor extrato --json`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use testes::{Processo, Servidor, Termino, comando, executar, veredito};

/// Abre um servidor, que tem de abrir.
pub fn servidor(urls: &str, nome: &str, opcoes: &[&str]) -> Servidor {
    Servidor::de(com(urls, nome, opcoes))
}

/// O comando que o abre.
pub fn com(urls: &str, nome: &str, opcoes: &[&str]) -> std::process::Command {
    let mut comando = comando("servidor", ["--partilhado", urls, "--nome", nome]);
    comando.args(opcoes);
    comando
}

/// A multidão diante de todos, com um CSV nesta pasta.
pub fn multidao(servidores: &[&Servidor], pasta: &tempfile::TempDir, opcoes: &str) -> Processo {
    let enderecos: Vec<SocketAddr> = servidores.iter().map(|s| s.endereco()).collect();
    multidao_em(&enderecos, pasta, opcoes)
}

/// O mesmo, para quem não está diante deles mesmos.
pub fn multidao_em(enderecos: &[SocketAddr], pasta: &tempfile::TempDir, opcoes: &str) -> Processo {
    let enderecos: Vec<String> = enderecos.iter().map(SocketAddr::to_string).collect();
    let csv = pasta.path().join("multidao.csv");
    let mut comando = comando("cliente", ["--servidor", &enderecos.join(","), "--csv"]);
    comando.arg(csv).args(opcoes.split(' '));
    Processo::iniciar(comando)
}

/// O documento do extrato, que tem de estar íntegro.
pub fn extrato(urls: &str) -> Value {
    let termino = executar("servidor", ["extrato", "--json", "--partilhado", urls]);
    assert_eq!(termino.codigo, Some(0), "{}{}", termino.saida, termino.erro);
    serde_json::from_str(&termino.saida).unwrap()
}

/// A multidão disse CONSISTENTE, e cada venda que alguém ouviu está no extrato, uma vez, com o mesmo restante. Diz
/// quantas vendas se ouviram.
pub fn conferir(urls: &str, pasta: &tempfile::TempDir, termino: &Termino) -> usize {
    assert_eq!(veredito(termino), "Veredito: CONSISTENTE", "{}", termino.saida);
    let extrato = extrato(urls);
    let mut no_livro: BTreeMap<u64, u32> = BTreeMap::new();
    for venda in extrato["vendas"].as_array().unwrap() {
        *no_livro.entry(venda["restante"].as_u64().unwrap()).or_default() += 1;
    }
    assert!(no_livro.values().all(|vezes| *vezes == 1), "uma unidade vendida duas vezes");
    let mut leitor = csv::Reader::from_path(pasta.path().join("multidao.csv")).unwrap();
    let linhas = leitor.records().map(Result::unwrap);
    let ouvidas: Vec<u64> = linhas
        .filter(|linha| &linha[5] == "comprou")
        .map(|linha| linha[6].parse().unwrap())
        .collect();
    for restante in &ouvidas {
        assert!(
            no_livro.contains_key(restante),
            "ouviu-se que restavam {restante}, e não se vendeu"
        );
    }
    ouvidas.len()
}

/// Um comprador que não para, para saber quanto se ficou sem vender.
pub struct SemParar(JoinHandle<Vec<Instant>>);

impl SemParar {
    /// Compra até ouvir um erro de fim (a conexão fechou) ou passarem `por`; ouve cada resposta antes de pedir outra.
    pub fn comprar(servidor: &Servidor, por: Duration) -> Self {
        let mut cliente = servidor.cliente();
        let fim = Instant::now() + por;
        SemParar(thread::spawn(move || {
            let mut vendas = Vec::new();
            while Instant::now() < fim {
                cliente.arrisca("COMPRAR\n");
                match cliente.linha_ou_fim() {
                    Some(linha) if linha.starts_with("Compra realizada") => {
                        vendas.push(Instant::now())
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            vendas
        }))
    }

    /// Quanto tempo se ficou sem vender, a partir de `desde`, no máximo.
    pub fn maior_pausa(self, desde: Instant) -> Duration {
        let vendas = self.0.join().unwrap();
        let depois: Vec<Instant> = [desde]
            .into_iter()
            .chain(vendas.into_iter().filter(|quando| *quando > desde))
            .collect();
        assert!(depois.len() > 1, "não se vendeu mais nada");
        depois.windows(2).map(|par| par[1] - par[0]).max().unwrap()
    }
}
