//! Um livro sob teste, e a conferência: o que se ouviu contra o que está no arquivo.
//!
//! A conta é refeita aqui, a partir do `servidor extrato --json`, sem acreditar no veredito dele.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use testes::{Servidor, Termino, comando, executar};

/// Um livro em uma pasta só dele, que some com o teste.
pub struct Arquivo {
    pasta: TempDir,
    caminho: String,
}

impl Arquivo {
    pub fn novo() -> Self {
        let pasta = tempfile::tempdir().unwrap();
        let caminho = pasta.path().join("vendas.db").to_str().unwrap().to_owned();
        Arquivo { pasta, caminho }
    }

    pub fn caminho(&self) -> &str {
        &self.caminho
    }

    pub fn pasta(&self) -> &Path {
        self.pasta.path()
    }

    /// Um servidor com este livro, por iniciar.
    pub fn comando(&self, estoque: Option<u64>) -> Command {
        let mut comando = self.comando_que_registra(estoque);
        comando.arg("--silencioso");
        comando
    }

    /// O mesmo, com o registro na saída padrão.
    pub fn comando_que_registra(&self, estoque: Option<u64>) -> Command {
        let mut comando = comando("servidor", ["--livro", &self.caminho]);
        if let Some(estoque) = estoque {
            comando.args(["--estoque", &estoque.to_string()]);
        }
        comando
    }

    pub fn abrir(&self, estoque: Option<u64>) -> Servidor {
        Servidor::de(self.comando(estoque))
    }

    pub fn repor(&self, unidades: u64) -> Termino {
        executar("servidor", ["--livro", &self.caminho, "--repor", &unidades.to_string()])
    }

    /// O que está no livro, que tem de estar íntegro, haja ou não um servidor com ele.
    pub fn extrato(&self) -> Extrato {
        let termino = executar("servidor", ["extrato", &self.caminho, "--json"]);
        assert_eq!((termino.codigo, termino.erro.as_str()), (Some(0), ""), "{}", termino.saida);
        Extrato::ler(&serde_json::from_str(&termino.saida).unwrap())
    }

    /// O arquivo deste livro, copiado sem o WAL dele: ou se sabe que falta alguma coisa, ou está lá tudo o
    /// que se ouviu.
    pub fn sozinho_ou_diz_tudo_ou_e_recusado(&self, ouvido: &Ouvido) {
        let copia = Arquivo::novo();
        fs::copy(&self.caminho, &copia.caminho).unwrap();
        let termino = executar("servidor", ["extrato", &copia.caminho, "--json"]);
        match termino.codigo {
            Some(0) => {
                ouvido.conferir(&Extrato::ler(&serde_json::from_str(&termino.saida).unwrap()))
            }
            _ => assert!(termino.erro.contains("livro"), "{}", termino.erro),
        }
    }

    /// Abre o livro como se nada tivesse acontecido, e compra: a história continua de onde estava.
    pub fn continua(&self, ouvido: &mut Ouvido) {
        let antes = self.extrato();
        let mut servidor = self.abrir(None);
        let mut cliente = servidor.cliente();
        let de = cliente.endereco();
        for pedido in ["CONSULTAR", "COMPRAR"] {
            ouvido.anotar(antes.entradas, &Fala { de, linha: cliente.pede(pedido) });
        }
        drop(cliente);
        assert_eq!(servidor.encerrar().codigo, Some(0));
        let depois = self.extrato();
        ouvido.conferir(&depois);
        assert_eq!(depois.vendidas(), antes.vendidas() + 1);
    }
}

/// Um livro lido e conferido.
pub struct Extrato {
    /// Tudo o que já entrou no estoque.
    pub entradas: u64,
    /// A quem se vendeu, e quantas unidades sobraram; na ordem.
    pub vendas: Vec<(SocketAddr, u64)>,
}

impl Extrato {
    fn ler(json: &Value) -> Self {
        let numero = |valor: &Value| valor.as_u64().unwrap();
        let lista = |chave: &str| json[chave].as_array().unwrap().iter();
        let entradas: Vec<_> = lista("estoque")
            .map(|entrada| (numero(&entrada["depois_da_venda"]), numero(&entrada["unidades"])))
            .collect();
        let ate = |venda| -> u64 {
            entradas.iter().filter(|(depois, _)| *depois < venda).map(|(_, n)| n).sum()
        };
        let mut vendas = Vec::new();
        for (venda, esperada) in lista("vendas").zip(1..) {
            let restante = numero(&venda["restante"]);
            assert_eq!(numero(&venda["numero"]), esperada);
            assert_eq!(restante + esperada, ate(esperada), "na venda {esperada}");
            vendas.push((venda["endereco"].as_str().unwrap().parse().unwrap(), restante));
        }
        assert_eq!(json["integro"], true);
        let conta = |chave: &str| numero(&json[chave]);
        assert_eq!(conta("vendidas"), vendas.len() as u64);
        let todas = entradas.iter().map(|(_, unidades)| unidades).sum();
        assert_eq!(conta("inicial") + conta("repostas"), todas);
        assert_eq!(conta("vendidas") + conta("restantes"), todas);
        Extrato { entradas: todas, vendas }
    }

    pub fn vendidas(&self) -> u64 {
        self.vendas.len() as u64
    }
}

/// Uma linha que um cliente ouviu.
pub struct Fala {
    pub de: SocketAddr,
    pub linha: String,
}

/// Tudo o que se ouviu de um livro, em todas as vidas dele.
#[derive(Default)]
pub struct Ouvido {
    /// As vendas confirmadas, pelo número que devem ter no livro.
    vendas: BTreeMap<u64, (SocketAddr, u64)>,
    /// Pelo que se ouviu, venderam-se pelo menos estas.
    ao_menos: u64,
}

impl Ouvido {
    /// Anota o que se ouviu em uma vida que tinha estas entradas no estoque. O estoque só sobe com o
    /// servidor fechado, e por isso o restante diz o número da venda.
    pub fn anotar(&mut self, entradas: u64, fala: &Fala) {
        let depois = |texto: &str| {
            let numero: Option<u64> = fala.linha.strip_prefix(texto)?.parse().ok();
            Some(entradas.checked_sub(numero?).unwrap_or_else(|| panic!("{}?", fala.linha)))
        };
        if let Some(numero) = depois("Compra realizada. Estoque restante: ") {
            let antes = self.vendas.insert(numero, (fala.de, entradas - numero));
            assert_eq!(antes, None, "a venda {numero} foi confirmada também a {}", fala.de);
            self.ao_menos = self.ao_menos.max(numero);
        } else if let Some(vendidas) = depois("Estoque atual: ") {
            self.ao_menos = self.ao_menos.max(vendidas);
        } else if fala.linha != "ERRO: Servidor encerrando" {
            let esgotou = fala.linha == super::AVISO || fala.linha == "ERRO: Produto esgotado";
            assert!(esgotou, "{:?}?", fala.linha);
            self.ao_menos = self.ao_menos.max(entradas);
        }
    }

    /// O que se ouviu está no livro.
    pub fn conferir(&self, extrato: &Extrato) {
        for (numero, venda) in &self.vendas {
            let no_livro = extrato.vendas.get(*numero as usize - 1);
            assert_eq!(no_livro, Some(venda), "a venda {numero} foi confirmada e não está lá");
        }
        let vendidas = extrato.vendidas();
        assert!(self.ao_menos <= vendidas, "ouviu-se de {}, e há {vendidas}", self.ao_menos);
    }

    /// Quantas vendas se confirmaram.
    pub fn confirmadas(&self) -> u64 {
        self.vendas.len() as u64
    }
}
