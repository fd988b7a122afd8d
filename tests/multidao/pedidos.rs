//! As compras numeradas, de ponta a ponta: servidores que respondem certo e errado ao mesmo id, com uma parte das
//! respostas perdida; e o nosso, com livro, atrás de quem corta as respostas, morto e reaberto várias vezes.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use testes::{
    Passagem, Processo, Servidor, Signal, UMA_SE_PERDE_EM, argumentos, ate, comando,
    conferir_pedidos, conta, executar, multidao, servidor_que, veredito,
};

/// O que o balcão faz de um id que já atendeu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jeito {
    /// Responde o mesmo.
    Certo,
    /// Vende outra vez.
    VendeDeNovo,
    /// Se vendeu, passa a dizer que esgotou.
    RespondeOutraCoisa,
}

/// Um servidor de mentira que conhece PEDIDO.
struct Balcao {
    jeito: Jeito,
    unidades: u64,
    respostas: HashMap<String, String>,
    compras: u64,
}

impl Balcao {
    /// A resposta, e se ela se perde no caminho.
    fn decidir(&mut self, linha: &str) -> (String, bool) {
        let Some(id) = linha.strip_prefix("PEDIDO ") else {
            return (format!("Estoque atual: {}\n", self.unidades), false);
        };
        self.compras += 1;
        let perde = self.compras.is_multiple_of(UMA_SE_PERDE_EM);
        let resposta = match (self.respostas.get(id), self.jeito) {
            (Some(dada), Jeito::Certo) => dada.clone(),
            (Some(_), Jeito::RespondeOutraCoisa) => "ERRO: Produto esgotado\n".into(),
            (Some(_), Jeito::VendeDeNovo) | (None, _) => self.vender(),
        };
        self.respostas.insert(id.to_owned(), resposta.clone());
        (resposta, perde)
    }

    fn vender(&mut self) -> String {
        match self.unidades.checked_sub(1) {
            None => "ERRO: Produto esgotado\n".into(),
            Some(restam) => {
                self.unidades = restam;
                format!("Compra realizada. Estoque restante: {restam}\n")
            }
        }
    }
}

fn abrir(jeito: Jeito, unidades: u64) -> (SocketAddr, Arc<Mutex<Balcao>>) {
    let porta = TcpListener::bind("127.0.0.1:0").unwrap();
    let endereco = porta.local_addr().unwrap();
    let balcao = Balcao { jeito, unidades, respostas: HashMap::new(), compras: 0 };
    let balcao = Arc::new(Mutex::new(balcao));
    let atende = Arc::clone(&balcao);
    // As threads morrem com o processo do teste.
    thread::spawn(move || {
        for conexao in porta.incoming().flatten() {
            let balcao = Arc::clone(&atende);
            thread::spawn(move || {
                for linha in BufReader::new(&conexao).lines().map_while(Result::ok) {
                    let (resposta, perde) = balcao.lock().unwrap().decidir(&linha);
                    if perde || (&conexao).write_all(resposta.as_bytes()).is_err() {
                        let _ = conexao.shutdown(Shutdown::Both);
                        return;
                    }
                }
            });
        }
    });
    (endereco, balcao)
}

const OPCOES: &str = "--pedidos --usuarios 20 --ciclos 15 --escuta 1s --decisao 1s";

#[test]
fn com_respostas_perdidas_um_servidor_certo_passa_e_de_nenhuma_compra_se_duvida() {
    let (endereco, balcao) = abrir(Jeito::Certo, 1_000);
    let pasta = tempfile::tempdir().unwrap();
    let [json, pagina] = ["j.json", "p.html"].map(|nome| pasta.path().join(nome));
    let (onde, tambem) = (json.display(), pagina.display());
    let resto =
        format!("--estoque 1000 --exigir desconhecidas=0 --json {onde} --relatorio {tambem}");
    let fim = multidao(endereco, &format!("{OPCOES} {resto}"));
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!((conta(&fim, "pedidos"), conta(&fim, "desconhecidas")), (300, 0), "{fim:?}");
    assert_eq!(conta(&fim, "vendas"), 300, "as quedas não custam ciclos");
    assert!(conta(&fim, "falhas") >= 9, "perderam-se 3%: {fim:?}");
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let pedidos = &json["resumo"]["pedidos"];
    assert_eq!((&json["parametros"]["pedidos"], &pedidos["ids"]), (&true.into(), &300.into()));
    assert!(pedidos["insistidos"].as_u64() >= Some(1), "{pedidos}");
    assert!(pedidos["repetidos"].as_u64() >= Some(1), "{pedidos}");
    assert!(fs::read_to_string(pagina).unwrap().contains("<dt>compras desconhecidas</dt><dd>0"));
    let balcao = balcao.lock().unwrap();
    assert_eq!((balcao.unidades, balcao.respostas.len()), (700, 300));
}

#[test]
fn quem_vende_duas_vezes_ao_mesmo_id_ou_lhe_da_outra_resposta_e_acusado() {
    for jeito in [Jeito::VendeDeNovo, Jeito::RespondeOutraCoisa] {
        let (endereco, _) = abrir(jeito, 1_000);
        let fim = multidao(endereco, OPCOES);
        assert_eq!(fim.codigo, Some(3), "{jeito:?}: {fim:?}");
        let acusou = fim.saida.contains("o mesmo pedido teve duas respostas");
        assert!(acusou, "{jeito:?}: {fim:?}");
    }
}

#[test]
fn de_um_servidor_que_nao_conhece_pedido_se_diz_logo_e_nada_se_julga() {
    let endereco = servidor_que(|linha| match linha {
        "CONSULTAR" => "Estoque atual: 10\n".into(),
        "COMPRAR" => "Compra realizada. Estoque restante: 9\n".into(),
        _ => "ERRO: Comando desconhecido\n".into(),
    });
    let fim = multidao(endereco, "--pedidos --usuarios 5");
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    let esperado = "o servidor não aceita --pedidos: ao primeiro PEDIDO respondeu 'ERRO: Comando desconhecido'";
    assert!(fim.erro.contains(esperado), "{fim:?}");
}

#[test]
fn de_um_servidor_que_cala_ao_pedido_se_diz_que_nao_o_conhece_sem_insistir() {
    let ja_calou = Arc::new(Mutex::new(0));
    let conta = Arc::clone(&ja_calou);
    let endereco = servidor_que(move |linha| match linha {
        "CONSULTAR" => "Estoque atual: 10\n".into(),
        _ => {
            *conta.lock().unwrap() += 1;
            String::new()
        }
    });
    let fim = multidao(endereco, "--pedidos --usuarios 5 --decisao 0s");
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    let esperado = "cliente: o servidor não aceita --pedidos: respondeu a CONSULTAR, e em 10 s a nenhum PEDIDO; tire a opção";
    assert!(fim.erro.contains(esperado), "{fim:?}");
    // Insistir por 60 s seria perguntar a cada um umas seis vezes.
    assert!(*ja_calou.lock().unwrap() <= 10, "{ja_calou:?}");
}

#[test]
fn com_o_servidor_morto_e_reaberto_e_respostas_perdidas_de_toda_compra_se_sabe() {
    let pasta = tempfile::tempdir().unwrap();
    let caminho = |nome: &str| pasta.path().join(nome).to_str().unwrap().to_owned();
    let (livro, csv) = (caminho("vendas.db"), caminho("historia.csv"));
    let abrir =
        |mais: &[&str]| Servidor::abrir(&[&["--livro", &livro, "--silencioso"], mais].concat());
    let mut servidor = abrir(&["--estoque", "100000"]);
    let passagem = Passagem::abrir(servidor.endereco());
    let resto = format!(
        "--pedidos --usuarios 20 --ciclos 40 --escuta 5s --decisao 1s --estoque 100000 --csv {csv}"
    );
    let mut cliente =
        Processo::iniciar(comando("cliente", argumentos(passagem.endereco(), &resto)));
    for vida in 1..=4 {
        let vendidas = vida * 100;
        ate("venderem-se mais cem", || (passagem.respostas() > vendidas).then_some(()));
        servidor.sinal(Signal::KILL);
        servidor.termino();
        passagem.levar_a(None);
        servidor = abrir(&[]);
        passagem.levar_a(Some(servidor.endereco()));
    }
    let fim = cliente.termino();
    servidor.encerrar();
    let extrato = executar("servidor", ["extrato", &livro, "--json"]);
    assert_eq!(extrato.codigo, Some(0), "{extrato:?}");
    conferir_pedidos(&serde_json::from_str(&extrato.saida).unwrap(), Path::new(&csv), &fim);
}
