//! A multidão contra vários servidores que vendem um só estoque.

use std::fs;
use std::time::Duration;

use testes::{
    Gemeos, Jeito, Processo, Termino, ate, comando, conta, porta_fechada, veredito,
    veredito_do_aviso,
};

const LOGO: Duration = Duration::from_millis(50);
const CERTO: Jeito = Jeito { repete: false, fora_de_alcance: 0 };

fn opcoes(servidores: &str, opcoes: &str) -> Vec<String> {
    let todas = format!("--servidor {servidores} --acelerar 100 {opcoes}");
    todas.split_whitespace().map(String::from).collect()
}

fn multidao(servidores: &str, resto: &str) -> Termino {
    Processo::iniciar(comando("cliente", opcoes(servidores, resto))).termino()
}

/// A linha do resumo sobre este servidor, o que há depois dos dois-pontos.
fn do_servidor(fim: &Termino, numero: usize) -> &str {
    let comeco = format!("  servidor {numero} (");
    let linha = fim.saida.lines().find(|linha| linha.starts_with(&comeco));
    linha.and_then(|linha| linha.split_once("): ")).map(|(_, resto)| resto).unwrap()
}

#[test]
fn os_usuarios_se_revezam_e_cada_servidor_avisa_os_seus() {
    let gemeos = Gemeos::abrir(30, LOGO, &[CERTO, CERTO]);
    let pasta = tempfile::tempdir().unwrap();
    let [csv, json] = ["c.csv", "j.json"].map(|nome| pasta.path().join(nome));
    let resto = format!(
        "--usuarios 11 --ciclos 5 --decisao 2s --estoque 30 --csv {} --json {}",
        csv.display(),
        json.display()
    );
    let fim = multidao(&gemeos.enderecos(), &resto);
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!(veredito_do_aviso(&fim), "certo (11 conexões o ouviram)");
    assert_eq!((conta(&fim, "vendas"), conta(&fim, "AVISOs"), conta(&fim, "falhas")), (30, 11, 0));
    // Seis usuários no primeiro e cinco no segundo; e uma visita a cada um.
    assert!(do_servidor(&fim, 1).starts_with("7 conexões, 0 quedas, "), "{fim:?}");
    assert!(do_servidor(&fim, 2).starts_with("6 conexões, 0 quedas, "), "{fim:?}");

    let enderecos: Vec<String> = gemeos.enderecos().split(',').map(String::from).collect();
    let mut leitor = csv::Reader::from_path(&csv).unwrap();
    let mut linhas = 0;
    for linha in leitor.records().map(Result::unwrap) {
        let usuario: usize = linha[0].parse().unwrap();
        assert_eq!(linha[7], enderecos[(usuario - 1) % 2], "{linha:?}");
        linhas += 1;
    }
    assert_eq!(linhas, 2 * 55 + 11);
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let servidores = json["resumo"]["servidores"].as_array().unwrap();
    let vendas = |s: &serde_json::Value| s["vendas"].as_u64().unwrap();
    assert_eq!(servidores.iter().map(vendas).sum::<u64>(), 30);
    for (servidor, endereco) in servidores.iter().zip(&enderecos) {
        assert_eq!(servidor["servidor"].as_str(), Some(endereco.as_str()));
        let dele = |venda: &&serde_json::Value| venda["servidor"].as_str() == Some(endereco);
        let listadas = json["vendas"].as_array().unwrap().iter().filter(dele).count() as u64;
        assert_eq!(listadas, vendas(servidor));
    }
}

#[test]
fn quem_perde_o_servidor_vai_ao_seguinte_e_isso_e_queda_e_nao_acusacao() {
    // O estoque não acaba: depois da morte, ainda se compra.
    let gemeos = Gemeos::abrir(1_000_000, LOGO, &[CERTO, CERTO]);
    let resto = "--usuarios 10 --ciclos 30 --decisao 1s --escuta 1s --estoque 1000000";
    let mut cliente = Processo::iniciar(comando("cliente", opcoes(&gemeos.enderecos(), resto)));
    ate("o segundo ter com quem falar", || (gemeos.comandos(1) > 40).then_some(()));
    gemeos.matar(1);
    let fim = cliente.termino();
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert!(do_servidor(&fim, 1).starts_with("10 conexões, 0 quedas, "), "{fim:?}");
    assert!(do_servidor(&fim, 2).starts_with("5 conexões, 5 quedas, "), "{fim:?}");
    // Cada queda custou um ciclo; os outros se fizeram no servidor que ficou.
    assert_eq!((conta(&fim, "ciclos"), conta(&fim, "falhas")), (300 - 5, 5), "{fim:?}");
}

#[test]
fn um_servidor_que_nunca_abriu_nao_deixa_ninguem_de_fora() {
    let gemeos = Gemeos::abrir(10, LOGO, &[CERTO]);
    let (_socket, fechada) = porta_fechada();
    let servidores = format!("{fechada},{}", gemeos.enderecos());
    let fim = multidao(&servidores, "--usuarios 4 --ciclos 3 --estoque 10 --espera 500ms");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!((conta(&fim, "ciclos"), conta(&fim, "vendas")), (12, 10), "{fim:?}");
    assert!(fim.saida.contains("2 × não conectou: conexão recusada"), "{}", fim.saida);
    assert!(fim.erro.contains(&format!("cliente: {fechada} ainda não aceita")), "{}", fim.erro);
    // Se nenhum abriu, é o mesmo de sempre.
    let ninguem = multidao(&format!("{fechada},{fechada}"), "--usuarios 2 --espera 0s");
    assert_eq!(ninguem.codigo, Some(1), "{ninguem:?}");
    assert!(ninguem.erro.contains("ninguém chegou a "), "{}", ninguem.erro);
}

#[test]
fn a_mesma_unidade_vendida_por_dois_servidores_e_achada() {
    let repete = Jeito { repete: true, ..CERTO };
    let gemeos = Gemeos::abrir(100, LOGO, &[CERTO, repete]);
    let fim = multidao(&gemeos.enderecos(), "--usuarios 6 --ciclos 4");
    assert_eq!(fim.codigo, Some(3), "{fim:?}");
    assert!(veredito(&fim).contains("INCONSISTENTE: "), "{fim:?}");
    assert!(veredito(&fim).contains("no servidor 2"), "{fim:?}");
}

#[test]
fn a_noticia_que_demora_a_chegar_ao_outro_servidor_nao_e_atraso_dele() {
    // Quem só escuta no segundo servidor não pergunta nada, e ele só sabe meio segundo além da tolerância de sempre.
    let gemeos = Gemeos::abrir(2, Duration::from_millis(1500), &[CERTO, CERTO]);
    let fim = multidao(
        &gemeos.enderecos(),
        "--usuarios 2 --ciclos 1 --decisao 1s --escuta 50s --estoque 2",
    );
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!(veredito_do_aviso(&fim), "certo (2 conexões o ouviram)");
    assert!(fim.saida.contains("para chegar a todos"), "{}", fim.saida);
}

#[test]
fn fora_de_alcance_se_conta_e_nao_se_contradiz() {
    let as_vezes = Jeito { fora_de_alcance: 20, ..CERTO };
    let gemeos = Gemeos::abrir(40, LOGO, &[as_vezes, CERTO]);
    let fim = multidao(&gemeos.enderecos(), "--usuarios 8 --ciclos 15 --estoque 40");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    // O primeiro ouviu 120 comandos, e disse isso a 20 de cada cem.
    assert_eq!((conta(&fim, "fora de alcance"), conta(&fim, "falhas")), (40, 0), "{fim:?}");
    assert_eq!((conta(&fim, "de outro modo"), conta(&fim, "sem resposta")), (0, 0), "{fim:?}");
    // Se só isso se ouve, das vendas nada se sabe.
    let nunca = Jeito { fora_de_alcance: 100, ..CERTO };
    let fim = multidao(&Gemeos::abrir(40, LOGO, &[nunca]).enderecos(), "--usuarios 2 --ciclos 2");
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    assert!(veredito(&fim).ends_with("toda compra ouviu que o estoque está fora de alcance"));
}
