//! As chaves do estoque repartido, o que cada uma guarda, e as contas que se tiram delas.
//!
//! ```text
//!   venda/e/estoque        "ENTRADAS CLUSTER"              até que posição há unidades, e de que cluster
//!   venda/e/caixa-NOME     "PEDIDAS SEQUENCIA INSTANCIA"   quantas compras este servidor já pediu
//!   venda/p/NOME           "SEQUENCIA INSTANTE endereços"  o último lote dele
//!   venda/v/POSICAO        "NOME INSTANTE ANTES endereços" as vendas de um lote, para ler depois
//!   venda/r/NUMERO         "POSICAO UNIDADES INSTANTE"     o estoque inicial, 0, e cada reposição
//! ```
//!
//! Cada compra pedida toma a posição seguinte, a soma de tudo o que todos já pediram mais um; leva uma unidade
//! quem fica em uma posição até ENTRADAS. É somar, e não comparar e trocar: dois servidores nunca disputam a
//! mesma escrita, e a ordem é a do etcd.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::etcd::Par;

/// O prefixo do que decide uma venda.
pub const BALANCO: &str = "venda/e/";
/// Quanto já entrou.
pub const ESTOQUE: &str = "venda/e/estoque";
const CAIXA: &str = "venda/e/caixa-";
/// O prefixo das vendas.
pub const VENDAS: &str = "venda/v/";
/// O prefixo das entradas no estoque.
pub const ENTRADAS: &str = "venda/r/";
/// O prefixo dos últimos lotes.
pub const LOTES: &str = "venda/p/";

/// A chave do caixa de um servidor.
pub fn chave_do_caixa(nome: &str) -> String {
    format!("{CAIXA}{nome}")
}

/// A chave do último lote de um servidor.
pub fn chave_do_lote(nome: &str) -> String {
    format!("{LOTES}{nome}")
}

/// A chave das vendas que começam nesta posição: vinte dígitos, para que a ordem do texto seja a dos números.
pub fn chave_das_vendas(posicao: u64) -> String {
    format!("{VENDAS}{posicao:020}")
}

/// A chave da entrada de unidades de um número; a 0 é o estoque inicial.
pub fn chave_da_entrada(numero: u64) -> String {
    format!("{ENTRADAS}{numero:020}")
}

/// Unidades que entraram no estoque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrada {
    /// A posição depois da qual ficam: a última que já tinha unidade ou comprador.
    pub posicao: u64,
    /// Quantas.
    pub unidades: u64,
    /// Quando, pelo relógio de quem as pôs (RFC 3339).
    pub instante: String,
}

impl Entrada {
    /// Como se escreve.
    pub fn texto(&self) -> String {
        format!("{} {} {}", self.posicao, self.unidades, self.instante)
    }

    /// O que uma chave `venda/r/` diz.
    ///
    /// # Errors
    ///
    /// Não é nossa, ou foi mexida: é o nome dela.
    pub fn ler(par: &Par) -> Result<Self, String> {
        let lida = || {
            let mut partes = par.valor.splitn(3, ' ');
            let posicao = partes.next()?.parse().ok()?;
            let unidades = partes.next()?.parse().ok()?;
            Some(Entrada { posicao, unidades, instante: partes.next()?.to_owned() })
        };
        lida().ok_or_else(|| par.chave.clone())
    }
}

/// O que um servidor já pediu.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caixa {
    /// Compras pedidas, as recusadas inclusive.
    pub pedidas: u64,
    /// Quantos lotes já pediu.
    pub sequencia: u64,
    /// Que processo: o mesmo nome em outro processo é outro.
    pub instancia: u64,
    /// Em que revisão do etcd isto foi escrito; 0, nunca.
    pub escrito_em: u64,
}

impl Caixa {
    /// Como se escreve.
    pub fn texto(self) -> String {
        format!("{} {} {}", self.pedidas, self.sequencia, self.instancia)
    }
}

/// O que decide uma venda, em uma revisão do etcd.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balanco {
    /// Até que posição há unidades; `None`, o estoque ainda não foi criado.
    pub entradas: Option<u64>,
    /// O cluster em que foi criado.
    pub cluster: u64,
    /// O caixa de cada servidor.
    pub caixas: BTreeMap<String, Caixa>,
}

impl Balanco {
    /// O que estas chaves dizem.
    ///
    /// # Errors
    ///
    /// Uma delas não é nossa, ou foi mexida: é o nome dela.
    pub fn ler(pares: &[Par]) -> Result<Self, String> {
        let mut balanco = Balanco::default();
        pares.iter().try_for_each(|par| balanco.mudar(par))?;
        Ok(balanco)
    }

    /// Uma chave passou a ser isto.
    ///
    /// # Errors
    ///
    /// Não é nossa, ou foi apagada: é o nome dela.
    pub fn mudar(&mut self, par: &Par) -> Result<(), String> {
        let numeros: Option<Vec<u64>> = par.valor.split(' ').map(|n| n.parse().ok()).collect();
        match (par.chave.strip_prefix(CAIXA), numeros.as_deref()) {
            (Some(nome), Some(&[pedidas, sequencia, instancia])) => {
                let escrito_em = par.escrita_em;
                let caixa = Caixa { pedidas, sequencia, instancia, escrito_em };
                self.caixas.insert(nome.to_owned(), caixa);
                Ok(())
            }
            (None, Some(&[entradas, cluster])) if par.chave == ESTOQUE => {
                (self.entradas, self.cluster) = (Some(entradas), cluster);
                Ok(())
            }
            _ => Err(par.chave.clone()),
        }
    }

    /// Quantas compras todos já pediram: a última posição tomada.
    pub fn pedidas(&self) -> u64 {
        self.caixas.values().fold(0, |soma, caixa| soma.saturating_add(caixa.pedidas))
    }

    /// Unidades à venda.
    pub fn a_venda(&self) -> u64 {
        self.entradas.unwrap_or(0).saturating_sub(self.pedidas())
    }
}

/// As vendas de um lote, como ficam escritas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendidas {
    /// A posição da primeira.
    pub posicao: u64,
    /// Quem vendeu.
    pub servidor: String,
    /// Quando se propôs o lote, pelo relógio de quem vendeu (RFC 3339).
    pub instante: String,
    /// Unidades à venda antes da primeira.
    pub antes: u64,
    /// Quem comprou, na ordem.
    pub compradores: Vec<SocketAddr>,
}

impl Vendidas {
    /// Como se escrevem.
    pub fn texto(&self) -> String {
        let mut texto = format!("{} {} {}", self.servidor, self.instante, self.antes);
        for comprador in &self.compradores {
            texto.push(' ');
            texto.push_str(&comprador.to_string());
        }
        texto
    }

    /// O que uma chave `venda/v/` diz.
    ///
    /// # Errors
    ///
    /// Não é nossa, ou foi mexida: é o nome dela.
    pub fn ler(par: &Par) -> Result<Self, String> {
        let lida = || {
            let posicao = par.chave.strip_prefix(VENDAS)?.parse().ok()?;
            let mut partes = par.valor.split(' ');
            let servidor = partes.next()?.to_owned();
            let instante = partes.next()?.to_owned();
            let antes = partes.next()?.parse().ok()?;
            let compradores = partes.map(|parte| parte.parse().ok()).collect::<Option<_>>()?;
            Some(Vendidas { posicao, servidor, instante, antes, compradores })
        };
        lida().ok_or_else(|| par.chave.clone())
    }
}

/// O último lote de um servidor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UltimoLote {
    /// A sequência do caixa dele.
    pub sequencia: u64,
    /// Quando se propôs.
    pub instante: String,
    /// Quem queria comprar.
    pub compradores: Vec<SocketAddr>,
}

impl UltimoLote {
    /// Como se escreve.
    pub fn texto(&self) -> String {
        let mut texto = format!("{} {}", self.sequencia, self.instante);
        for comprador in &self.compradores {
            texto.push(' ');
            texto.push_str(&comprador.to_string());
        }
        texto
    }

    /// O que uma chave `venda/p/` diz.
    ///
    /// # Errors
    ///
    /// Não é nossa, ou foi mexida: é o nome dela.
    pub fn ler(par: &Par) -> Result<Self, String> {
        let lido = || {
            let mut partes = par.valor.split(' ');
            let sequencia = partes.next()?.parse().ok()?;
            let instante = partes.next()?.to_owned();
            let compradores = partes.map(|parte| parte.parse().ok()).collect::<Option<_>>()?;
            Some(UltimoLote { sequencia, instante, compradores })
        };
        lido().ok_or_else(|| par.chave.clone())
    }

    /// O que dele se vendeu, se `depois` é o balanço logo depois dele; `None` se nada.
    pub fn vendidas(&self, servidor: &str, depois: &Balanco) -> Option<Vendidas> {
        let pedidas = self.compradores.len() as u64;
        let posicao = depois.pedidas() - pedidas;
        let antes = depois.entradas.unwrap_or(0).saturating_sub(posicao);
        let quantas = usize::try_from(antes.min(pedidas)).unwrap_or(usize::MAX);
        (quantas > 0).then(|| Vendidas {
            posicao: posicao + 1,
            servidor: servidor.to_owned(),
            instante: self.instante.clone(),
            antes,
            compradores: self.compradores[..quantas].to_vec(),
        })
    }
}
