//! As compras numeradas diante de vários servidores de um estoque só: cada um morre e reabre com compras em curso, uma parte
//! das respostas perde-se, e quem cai pergunta pelo mesmo id a outro. No fim, de nenhuma compra se duvida.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use testes::{Passagem, Servidor, Signal, ate, conferir_pedidos, conta};

use crate::casa::{conferir, extrato, multidao_em, servidor};
use crate::cluster::Cluster;

/// Menos do que a multidão quer: também de uma recusa se pergunta de novo, e a resposta é a mesma.
const ESTOQUE: u64 = 1500;

#[test]
fn cada_servidor_morre_e_reabre_e_quem_caiu_pergunta_a_outro_e_sabe_de_todas_as_compras() {
    let Some(cluster) = Cluster::abrir(3, &[]) else { return };
    let urls = cluster.urls();
    let estoque = ESTOQUE.to_string();
    let abrir =
        |n: usize| servidor(&urls, &format!("s{n}"), &["--estoque", &estoque, "--silencioso"]);
    let mut servidores: Vec<Servidor> = (0..3).map(abrir).collect();
    let passagens: Vec<_> = servidores.iter().map(|s| Passagem::abrir(s.endereco())).collect();
    let enderecos: Vec<SocketAddr> = passagens.iter().map(|p| p.endereco()).collect();
    let pasta = tempfile::tempdir().unwrap();
    let opcoes = format!(
        "--pedidos --usuarios 60 --ciclos 40 --decisao 20ms --escuta 100ms --estoque {ESTOQUE}"
    );
    let mut gente = multidao_em(&enderecos, &pasta, &opcoes);
    for (qual, passagem) in passagens.iter().enumerate() {
        let respostas = || passagens.iter().map(|p| p.respostas()).sum::<u64>();
        let de_antes = respostas();
        ate("venderem-se mais duzentas", || (respostas() > de_antes + 200).then_some(()));
        servidores[qual].insistir(Signal::KILL);
        passagem.levar_a(None);
        servidores[qual] = servidor(&urls, &format!("s{qual}"), &["--silencioso"]);
        passagem.levar_a(Some(servidores[qual].endereco()));
    }
    let fim = gente.termino_em(Duration::from_secs(120));
    let vendas = conferir(&urls, &pasta, &fim);
    let extrato = extrato(&urls);
    conferir_pedidos(&extrato, &pasta.path().join("multidao.csv"), &fim);
    assert_eq!(vendas as u64, ESTOQUE, "{fim:?}");
    assert_eq!(extrato["vendidas"], ESTOQUE);
    assert!(conta(&fim, "recusas") > 0, "{fim:?}");
    let perguntados: Vec<BTreeSet<String>> = passagens.iter().map(|p| p.perguntados()).collect();
    let a_dois = perguntados[0].intersection(&perguntados[1]).count();
    assert!(a_dois > 0, "ninguém perguntou a outro servidor: {fim:?}");
    println!(
        "partilhado | três servidores kill -9, pedidos | {vendas} vendas, {a_dois} perguntadas a outro |"
    );
}
