//! As opções da comparação, e os tempos que elas querem dizer.

use std::time::Duration;

use clap::Parser;
use protocolo::terminal::duracao_positiva;

use crate::pares::Par;
use crate::vazao::Celula;

/// Compara o servidor com outros, em rodadas alternadas, com o mesmo gerador de carga
#[derive(Debug, Parser)]
#[command(name = "comparacao", version, before_help = EXEMPLOS)]
pub struct Opcoes {
    /// Uma rodada curta, para ver se funciona: sem razões e sem metas
    #[arg(long, conflicts_with = "completa")]
    pub rapida: bool,

    /// Mais rodadas e janelas mais longas
    #[arg(long)]
    pub completa: bool,

    /// Desenha os gráficos, ao lado deste programa
    #[arg(long)]
    pub graficos: bool,

    /// Só estas tabelas: vazao, duraveis, memoria, aviso; ou partilhado, que pede um etcd e só se mede sozinha
    #[arg(long, value_name = "NOMES", value_delimiter = ',', value_parser = ["vazao", "duraveis", "memoria", "aviso", "partilhado"])]
    pub tabelas: Vec<String>,

    /// Só os pares com isto no nome, além do servidor e do eco
    #[arg(long, value_name = "NOMES", value_delimiter = ',')]
    pub pares: Vec<String>,

    /// Só estas células, como 50x16 (50 conexões, 16 pedidos em voo em cada)
    #[arg(long, value_name = "CÉLULAS", value_delimiter = ',', value_parser = celula)]
    pub celulas: Vec<Celula>,

    /// Quantas rodadas, em vez das do modo
    #[arg(long, value_name = "N")]
    pub rodadas: Option<usize>,

    /// Quanto dura cada medida, em vez da do modo
    #[arg(long, value_name = "DURAÇÃO", value_parser = duracao_positiva)]
    pub janela: Option<Duration>,

    // O cargo a põe sempre.
    #[arg(long, hide = true)]
    bench: bool,
}

const EXEMPLOS: &str = "  cargo bench -p testes --bench comparacao                  tudo
  cargo bench -p testes --bench comparacao -- --rapida      em um minuto, só para ver
  cargo bench -p testes --bench comparacao -- --tabelas vazao --pares redis --celulas 50x1,50x16";

/// Quanto dura cada coisa.
#[derive(Debug, Clone, Copy)]
pub struct Tempos {
    /// Quantas vezes cada par passa por cada célula.
    pub rodadas: usize,
    /// Carga que não se conta, antes de cada medida.
    pub aquecimento: Duration,
    /// Carga que se conta.
    pub janela: Duration,
    /// Quantas conexões paradas dividem a memória.
    pub paradas: usize,
    /// Quanto elas ficam paradas antes de se olhar.
    pub repouso: Duration,
}

/// As tabelas que há.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tabela {
    /// Vazão, latência e CPU dos pares que não prometem nada ao disco.
    Vazao,
    /// O mesmo, dos que prometem.
    Duraveis,
    /// A memória por conexão parada.
    Memoria,
    /// O AVISO a milhares.
    Aviso,
}

impl Tabela {
    fn nome(self) -> &'static str {
        match self {
            Tabela::Vazao => "vazao",
            Tabela::Duraveis => "duraveis",
            Tabela::Memoria => "memoria",
            Tabela::Aviso => "aviso",
        }
    }
}

impl Tempos {
    /// O que se mediu chega para comparar? Uma razão de uma rodada curta diz qualquer coisa, até o contrário da
    /// comparação inteira: é melhor não a mostrar.
    pub fn chegam(&self) -> bool {
        self.rodadas >= 3 && self.janela >= Duration::from_secs(1)
    }
}

const fn c(conexoes: usize, em_voo: usize) -> Celula {
    Celula { conexoes, em_voo }
}

const DURAVEIS: [Celula; 4] = [c(1, 1), c(50, 1), c(50, 16), c(50, 64)];
const RAPIDAS: [Celula; 5] = [c(1, 1), c(50, 1), c(50, 16), c(50, 64), c(10_000, 1)];
const TODAS: [Celula; 10] = [
    c(1, 1),
    c(1, 16),
    c(1, 64),
    c(50, 1),
    c(50, 16),
    c(50, 64),
    c(1000, 1),
    c(1000, 16),
    c(1000, 64),
    c(10_000, 1),
];

impl Opcoes {
    /// Os tempos do modo, com o que se pediu de diferente.
    pub fn tempos(&self) -> Tempos {
        let (rodadas, aquecimento, janela, paradas, repouso) = match (self.rapida, self.completa) {
            (true, _) => (1, 50, 300, 2000, 100),
            (_, true) => (11, 500, 3000, 9000, 5000),
            _ => (5, 200, 1000, 9000, 3000),
        };
        let ms = Duration::from_millis;
        Tempos {
            rodadas: self.rodadas.unwrap_or(rodadas).max(1),
            aquecimento: ms(aquecimento),
            janela: self.janela.unwrap_or(ms(janela)),
            paradas,
            repouso: ms(repouso),
        }
    }

    /// É o estoque partilhado que se quer?
    pub fn quer_o_partilhado(&self) -> bool {
        self.tabelas.iter().any(|nome| nome == "partilhado")
    }

    /// Esta tabela foi pedida?
    pub fn quer(&self, tabela: Tabela) -> bool {
        self.tabelas.is_empty() || self.tabelas.iter().any(|nome| nome == tabela.nome())
    }

    /// As células de uma tabela de vazão: as pedidas, ou as do modo.
    pub fn celulas(&self, tabela: Tabela) -> Vec<Celula> {
        let do_modo: &[Celula] = match tabela {
            Tabela::Duraveis => &DURAVEIS,
            _ if self.rapida => &RAPIDAS,
            _ => &TODAS,
        };
        if self.celulas.is_empty() { do_modo.into() } else { self.celulas.clone() }
    }

    /// Os pares pedidos, de um grupo. O nosso e o piso ficam sempre: são os dois lados de toda razão.
    pub fn pares(&self, grupo: &[Par]) -> Vec<Par> {
        let pedido = |par: &&Par| {
            let nome = par.nome();
            let sempre = matches!(par, Par::Servidor | Par::Eco | Par::ServidorLivro);
            sempre || self.pares.is_empty() || self.pares.iter().any(|parte| nome.contains(parte))
        };
        grupo.iter().filter(pedido).copied().collect()
    }
}

fn celula(texto: &str) -> Result<Celula, String> {
    let ler = || {
        let (conexoes, em_voo) = texto.split_once('x')?;
        Some(c(conexoes.parse().ok()?, em_voo.parse().ok()?))
    };
    ler().ok_or_else(|| "uma célula é como 50x16".into())
}
