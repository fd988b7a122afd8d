//! O desafio prático (§8), em um comando: a mesma multidão contra o laço de eventos, contra o modelo do
//! enunciado com e sem trava, e contra um laço que divide a venda em dois turnos. Conta quantas vezes cada
//! um vendeu a mais, e mostra a primeira contradição como a auditoria a desenha.
//!
//! `cargo run --release -p testes --example desafio` faz 20 rodadas; `RODADAS=100 cargo run ...`, cem. Cada rodada
//! tem um servidor recém-aberto, e a semente é o número dela: as decisões de compra são as mesmas para
//! todos os servidores. Não mede tempo nenhum.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::env;

use serde_json::Value;
use testes::{Processo, Termino, binario, comando, executar};

const MULTIDAO: &str = "--usuarios 200 --ciclos 1 --acelerar 100 --escuta 1s --estoque 10";

/// O das opções acima, e o padrão dos três programas.
const ESTOQUE: u64 = 10;

/// O nome que se mostra, o programa e as opções dele.
const SERVIDORES: [(&str, &str, &str); 5] = [
    ("laço de eventos (o nosso)", "servidor", "--silencioso"),
    ("uma thread por conexão, com trava", "examples/thread_por_conexao", ""),
    ("uma thread por conexão, sem trava", "examples/thread_por_conexao", "--sem-trava"),
    (
        "uma thread por conexão, sem trava, pausa de 1 ms",
        "examples/thread_por_conexao",
        "--sem-trava --pausa 1ms",
    ),
    ("laço que divide a venda em dois turnos", "examples/laco_em_dois_turnos", ""),
];

/// O que uma rodada mostrou.
struct Rodada {
    vendas: u64,
    consistente: bool,
    /// A saída da multidão: o desenho da primeira contradição está nela.
    saida: String,
}

fn main() {
    let rodadas = env::var("RODADAS").ok().and_then(|texto| texto.parse().ok()).unwrap_or(20);
    // A primeira vez leva minutos, sem nada à vista.
    eprintln!("compilando os programas...");
    binario("cliente");
    println!(
        "{rodadas} rodadas por servidor; a multidão: cliente {MULTIDAO} --semente (a rodada)\n"
    );
    println!("| servidor | venderam a mais | com contradição | vendas, de 10 |");
    println!("|---|---|---|---|");
    let mut desenhos = Vec::new();
    for (nome, programa, opcoes) in SERVIDORES {
        let vistas: Vec<Rodada> =
            (1..=rodadas).map(|semente| uma_rodada(programa, opcoes, semente)).collect();
        let erradas = vistas.iter().filter(|rodada| !rodada.consistente).count();
        let vendas = || vistas.iter().map(|rodada| rodada.vendas);
        let (menor, maior) = (vendas().min().unwrap_or(0), vendas().max().unwrap_or(0));
        let faixa =
            if menor == maior { menor.to_string() } else { format!("de {menor} a {maior}") };
        let demais = vendas().filter(|vendas| *vendas > ESTOQUE).count();
        println!("| {nome} | {demais} de {rodadas} | {erradas} de {rodadas} | {faixa} |");
        let primeira = vistas.into_iter().find(|rodada| !rodada.consistente);
        desenhos.extend(primeira.map(|rodada| (nome, conclusao(&rodada.saida))));
    }
    for (nome, desenho) in desenhos {
        println!("\n{nome}:\n\n{desenho}");
    }
}

fn uma_rodada(programa: &str, opcoes: &str, semente: u32) -> Rodada {
    let servidor =
        Processo::iniciar(comando(programa, format!("--porta 0 {opcoes}").split_whitespace()));
    let endereco = servidor.onde_ouve();
    let json = env::temp_dir().join(format!("desafio-{}.json", std::process::id()));
    let argumentos = format!("--servidor {endereco} {MULTIDAO} --semente {semente} --json");
    let mut argumentos: Vec<&str> = argumentos.split(' ').collect();
    let caminho = json.to_str().unwrap();
    argumentos.push(caminho);
    let Termino { saida, erro, .. } = executar("cliente", argumentos);
    let documento: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap())
        .unwrap_or_else(|_| panic!("a multidão não concluiu: {erro}"));
    std::fs::remove_file(&json).unwrap();
    Rodada {
        vendas: documento["resumo"]["vendas"].as_u64().unwrap(),
        consistente: documento["consistente"].as_bool().unwrap(),
        saida,
    }
}

/// O fim da saída da multidão: do desenho da contradição ao veredito.
fn conclusao(saida: &str) -> String {
    let onde = saida.find("A primeira contradição").unwrap_or(0);
    saida[onde..].trim_end().to_owned()
}
