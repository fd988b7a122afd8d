//! Com que etcd um servidor não abre, ou deixa de vender: uma linha que diz por quê, e nada vendido.

use std::thread;

use testes::{Servidor, executar, porta_fechada, recusa};

use crate::casa::{com, extrato, servidor};
use crate::cluster::Cluster;

/// O que diz quem parou de vender: a última linha, que é uma só.
fn por_que_parou(servidor: &mut Servidor) -> String {
    let termino = servidor.termino();
    assert_eq!(termino.codigo, Some(1), "{}", termino.erro);
    let ditas: Vec<&str> =
        termino.erro.lines().filter(|linha| linha.starts_with("servidor: ")).collect();
    // A primeira diz onde ouve.
    assert_eq!(ditas.len(), 2, "{}", termino.erro);
    ditas[1].to_owned()
}

#[test]
fn opcoes_que_nao_combinam_sao_recusadas() {
    let erra_as_opcoes = |opcoes: &[&str]| {
        let termino = executar("servidor", opcoes);
        assert_eq!(termino.codigo, Some(2), "{}", termino.erro);
        termino.erro
    };
    let url = ["--partilhado", "http://127.0.0.1:1"];
    let com_url = |opcoes: &[&str]| erra_as_opcoes(&[&url[..], opcoes].concat());
    assert!(com_url(&[]).contains("--nome"));
    assert!(com_url(&["--nome", "não serve"]).contains("até 32 letras"));
    assert!(com_url(&["--nome", "s1", "--livro", "v.db"]).contains("--livro"));
    assert!(com_url(&["--nome", "s1", "--repor", "5"]).contains("--repor"));
    assert!(com_url(&["--estoque", "5", "--repor", "5"]).contains("--estoque"));
    assert!(erra_as_opcoes(&["--nome", "s1"]).contains("--partilhado"));
    assert!(erra_as_opcoes(&["extrato"]).contains("LIVRO"));
}

#[test]
fn um_endereco_errado_e_dito_em_uma_linha() {
    for errado in ["127.0.0.1:2379", "https://127.0.0.1:2379", "http://", "http://127.0.0.1:1,"] {
        assert!(recusa(com(errado, "s1", &[])).contains("não é o endereço de um etcd"));
    }
    let (_presa, fechada) = porta_fechada();
    let outro_programa = Servidor::abrir(&[]);
    let casos = [
        (format!("http://{fechada}"), "(conexão recusada)"),
        ("http://nao-existe.test:2379".into(), "(o nome não é conhecido)"),
        (format!("http://{}", outro_programa.endereco()), "(a resposta não é a de um etcd)"),
    ];
    thread::scope(|juntos| {
        for (url, porque) in &casos {
            juntos.spawn(move || {
                let dito = recusa(com(url, "s1", &[]));
                let comeco = format!("servidor: nenhum etcd responde em {url} {porque};");
                assert!(dito.starts_with(&comeco), "{dito}");
            });
        }
    });
}

#[test]
fn sem_maioria_nao_se_abre() {
    let Some(mut cluster) = Cluster::abrir(3, &[]) else { return };
    cluster.derrubar(0);
    cluster.derrubar(1);
    let dito = recusa(com(&cluster.urls(), "s1", &[]));
    assert!(dito.contains("nenhum etcd responde em") && dito.contains("maioria"), "{dito}");
}

#[test]
fn outra_quantidade_e_uma_chave_mexida_sao_ditas_em_uma_linha_e_nada_se_vende() {
    let Some(cluster) = Cluster::abrir(1, &[]) else { return };
    let urls = cluster.urls();
    let sem_estoque = "ainda não há estoque";
    let falta = executar("servidor", ["extrato", "--partilhado", &urls]);
    assert!(falta.erro.contains(sem_estoque), "{}", falta.erro);
    let repor = || executar("servidor", ["--partilhado", &urls, "--repor", "1"]);
    assert!(repor().erro.contains(sem_estoque));
    let um = servidor(&urls, "s1", &["--estoque", "5"]);
    assert_eq!(um.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 4");
    drop(um);
    let outro = recusa(com(&urls, "s2", &["--estoque", "6"]));
    assert!(outro.contains("o estoque começou com 5, e não com 6"), "{outro}");
    assert_eq!(extrato(&urls)["vendidas"], 1);
    let mexida = |chave| format!("a chave venda/e/{chave} do etcd foi mexida");
    for chave in ["caixa-s1", "estoque", "alheia"] {
        let havia = cluster.escrever(&format!("venda/e/{chave}"), Some("oi"));
        let dito = recusa(com(&urls, "s2", &[]));
        assert!(dito.contains(&mexida(chave)), "{dito}");
        assert!(repor().erro.contains(&mexida(chave)));
        cluster.escrever(&format!("venda/e/{chave}"), havia.as_deref());
    }
    cluster.escrever("venda/e/estoque", None);
    let apagado = recusa(com(&urls, "s2", &[]));
    assert!(apagado.contains(&mexida("estoque")), "{apagado}");
}

/// Como fica um etcd restaurado de uma cópia: as mesmas chaves, em outro cluster.
#[test]
fn um_etcd_que_nao_e_o_do_estoque_nao_vende() {
    let Some(mut cluster) = Cluster::abrir(1, &[]) else { return };
    let Some(copia) = Cluster::abrir(1, &[]) else { return };
    let (urls, da_copia) = (cluster.urls(), copia.urls());
    let mut um = servidor(&format!("{urls},{da_copia}"), "s1", &["--estoque", "5"]);
    let mut cliente = um.cliente();
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 4");
    copia.copiar(&cluster);
    let outro = "o etcd não é o que guardava este estoque";
    let dito = recusa(com(&da_copia, "s2", &[]));
    assert!(dito.contains(outro), "{dito}");
    let repor = executar("servidor", ["--partilhado", &da_copia, "--repor", "1"]);
    assert!(repor.erro.contains(outro) && repor.codigo == Some(1), "{}", repor.erro);
    // E o que já vendia, se é a outro que passa a perguntar.
    cluster.derrubar(0);
    cliente.arrisca("COMPRAR\n");
    assert_eq!(cliente.linha_ou_fim(), None);
    assert!(por_que_parou(&mut um).contains(outro));
}

#[test]
fn se_o_etcd_volta_atras_o_servidor_para() {
    let Some(mut cluster) = Cluster::abrir(1, &[]) else { return };
    let mut um = servidor(&cluster.urls(), "s1", &["--estoque", "5"]);
    let mut cliente = um.cliente();
    let compra = |restante: u64| format!("Compra realizada. Estoque restante: {restante}");
    assert_eq!(cliente.pede("COMPRAR"), compra(4));
    cluster.derrubar(0);
    let antes = cluster.guardar(0);
    cluster.levantar(0);
    assert_eq!(cliente.pede("COMPRAR"), compra(3));
    cluster.derrubar(0);
    cluster.repor_dados(0, &antes);
    cluster.levantar(0);
    cliente.arrisca("COMPRAR\n");
    assert_eq!(cliente.linha_ou_fim(), None);
    let porque = por_que_parou(&mut um);
    // Se a anotação da última venda ainda ia a caminho, ela repõe a revisão, e o que se nota é o caixa.
    let ditas = ["o etcd voltou atrás", "a chave venda/e/caixa-s1 do etcd foi mexida"];
    assert!(ditas.iter().any(|dita| porque.contains(dita)), "{porque}");
    // Não pediu mais nada.
    let caixa = cluster.escrever("venda/e/caixa-s1", None).unwrap();
    assert!(caixa.starts_with("1 "), "{caixa}");
}
