//! Uma conexão aos olhos do oráculo: o que ela pediu, o que deve ouvir, o que o balcão sabe dela.
//!
//! O enquadramento e os prazos estão aqui uma segunda vez, escritos do modo mais simples que há. A
//! loja e a ordem do turno ficam em `oraculo.rs`.

use protocolo::LINHA_MAXIMA;
use servidor::conexao::{
    LEITURA_POR_TURNO, PRAZO_DA_LINHA, PRAZO_DA_SAIDA, PRAZO_DO_ADEUS, SAIDA_MAXIMA,
};

use crate::evento::{Bytes, Sinais};
use crate::fluxo::{Cano, Leitura, Rede};
use crate::oraculo::{LOTADO, Veredito, exigir};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pedido {
    Consultar,
    Comprar,
    Ajuda,
    Sair,
    Desconhecido,
    LinhaLonga,
    OutroProtocolo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vida {
    Atendida,
    /// Fechou o seu lado; ouve o que falta e morre.
    Fechou,
    /// O servidor vai fechar e ela já foi lida até o fim; ouve o que falta.
    Dispensada,
    /// Disse SAIR, passou do limite ou não coube: ouve o que falta, e mais nada.
    Despedida,
    /// Ouviu tudo e o fim; falta ela fechar o lado dela.
    Escoando {
        desde: u64,
    },
    Morta,
}

/// O que se sabe de uma conexão.
#[derive(Debug)]
pub struct Ficha {
    pub nome: usize,
    pub chave: usize,
    pub recusada: bool,
    pub vida: Vida,
    linha: Vec<u8>,
    fez_o_ultimo: bool,
    /// O que ela ainda deve ouvir, a partir de `aceitos`.
    espera: Vec<u8>,
    aceitos: usize,
    /// O que o balcão deve lembrar dos eventos.
    pub sabe: Sinais,
    leu_em: u64,
    disse_em: u64,
    linha_desde: Option<u64>,
    /// O turno da última leitura; no começo deste, tinha o que ler? No anterior, ficou de fora?
    pub leitura: u64,
    pub devia_ler: bool,
    pub preterida: bool,
    /// Quanto já tinha chegado quando se mandou encerrar.
    pub chegou_antes: usize,
}

impl Ficha {
    pub fn nova(nome: usize, chave: usize, recusada: bool, agora: u64) -> Self {
        Ficha {
            nome,
            chave,
            recusada,
            vida: if recusada { Vida::Despedida } else { Vida::Atendida },
            linha: Vec::new(),
            fez_o_ultimo: false,
            espera: if recusada { LOTADO.to_vec() } else { Vec::new() },
            aceitos: 0,
            sabe: Sinais { gravavel: true, ..Sinais::default() },
            leu_em: agora,
            disse_em: agora,
            linha_desde: None,
            leitura: 0,
            devia_ler: false,
            preterida: false,
            chegou_antes: 0,
        }
    }

    pub fn pendente(&self) -> &[u8] {
        &self.espera[self.aceitos..]
    }

    pub fn ouviu_tudo(&self) -> bool {
        self.aceitos == self.espera.len()
    }

    pub fn se_le(&self) -> bool {
        match self.vida {
            Vida::Atendida => !self.fez_o_ultimo,
            Vida::Escoando { .. } => true,
            _ => false,
        }
    }

    pub fn deve_ser_lida(&self) -> bool {
        self.sabe.legivel && self.se_le() && self.ouviu_tudo()
    }

    pub fn pode_ouvir(&self) -> bool {
        !matches!(self.vida, Vida::Escoando { .. } | Vida::Morta)
    }

    pub fn ouve_avisos(&self) -> bool {
        matches!(self.vida, Vida::Atendida | Vida::Fechou | Vida::Dispensada)
    }

    pub fn dizer(&mut self, agora: u64, texto: &[u8]) {
        if self.pode_ouvir() {
            if self.ouviu_tudo() {
                self.disse_em = agora;
            }
            self.espera.extend_from_slice(texto);
        }
    }

    /// Mais estes bytes couberam.
    pub fn ouviu(&mut self, bytes: usize, agora: u64) {
        self.aceitos += bytes;
        self.disse_em = agora;
        if self.ouviu_tudo() {
            self.espera.clear();
            self.aceitos = 0;
        }
    }

    /// Uma leitura: o que ela ensina, e os pedidos que completa.
    pub fn leu(&mut self, deu: Leitura, lidos: &[u8], agora: u64, pedir: &mut impl FnMut(Pedido)) {
        let escoa = matches!(self.vida, Vida::Escoando { .. });
        match deu {
            Leitura::Interrompida => {}
            Leitura::Erro => self.vida = Vida::Morta,
            Leitura::Fim if escoa => self.vida = Vida::Morta,
            Leitura::Fim => {
                self.secou(pedir);
                self.vida = Vida::Fechou;
            }
            Leitura::Seco => {
                self.sabe = Sinais { legivel: false, secar: false, ..self.sabe };
                self.secou(pedir);
            }
            Leitura::Bytes(_) if escoa => {}
            Leitura::Bytes(_) => {
                self.leu_em = agora;
                self.receber(lidos, pedir);
                if !self.tem_linha_comecada() {
                    self.linha_desde = None;
                } else if self.linha_desde.is_none() || lidos.contains(&b'\n') {
                    self.linha_desde = Some(agora);
                }
                if lidos.len() < LEITURA_POR_TURNO {
                    self.sabe.legivel = self.sabe.secar;
                    self.secou(pedir);
                }
            }
        }
    }

    /// Os pedidos que estes bytes completam.
    fn receber(&mut self, bytes: &[u8], pedir: &mut impl FnMut(Pedido)) {
        for &byte in bytes {
            if self.fez_o_ultimo {
                return;
            }
            if byte == b'\n' {
                self.fim_da_linha(pedir);
                continue;
            }
            self.linha.push(byte);
            if self.linha == b"\x16\x03" {
                self.fez_o_ultimo = true;
                self.linha.clear();
                pedir(Pedido::OutroProtocolo);
            } else if self.linha.len() - usize::from(byte == b'\r') > LINHA_MAXIMA {
                self.fez_o_ultimo = true;
                self.linha.clear();
                pedir(Pedido::LinhaLonga);
            }
        }
    }

    fn fim_da_linha(&mut self, pedir: &mut impl FnMut(Pedido)) {
        let pedido = match self.linha.trim_ascii() {
            [] => None,
            linha if linha.eq_ignore_ascii_case(b"CONSULTAR") => Some(Pedido::Consultar),
            linha if linha.eq_ignore_ascii_case(b"COMPRAR") => Some(Pedido::Comprar),
            linha if linha.eq_ignore_ascii_case(b"AJUDA") => Some(Pedido::Ajuda),
            linha if linha.eq_ignore_ascii_case(b"SAIR") => Some(Pedido::Sair),
            linha if e_http(linha) => Some(Pedido::OutroProtocolo),
            _ => Some(Pedido::Desconhecido),
        };
        self.linha.clear();
        if let Some(pedido) = pedido {
            self.fez_o_ultimo = matches!(pedido, Pedido::Sair | Pedido::OutroProtocolo);
            pedir(pedido);
        }
    }

    /// O socket secou: a palavra solta vale.
    fn secou(&mut self, pedir: &mut impl FnMut(Pedido)) {
        let solta = self.linha.trim_ascii();
        let vale =
            solta.eq_ignore_ascii_case(b"CONSULTAR") || solta.eq_ignore_ascii_case(b"COMPRAR");
        if vale && !self.fez_o_ultimo {
            self.fim_da_linha(pedir);
        }
        self.linha_desde = self.linha_desde.filter(|_| self.tem_linha_comecada());
    }

    fn tem_linha_comecada(&self) -> bool {
        !self.linha.trim_ascii().is_empty()
    }

    /// O que vale para ela depois de todo turno.
    pub fn conferir(&self, rede: &Rede) -> Veredito {
        let nome = self.nome;
        if self.vida == Vida::Morta {
            return Ok(());
        }
        exigir(
            self.ouviu_tudo() || !self.sabe.gravavel,
            "quem tem o que ouvir ouve no mesmo turno",
            || format!("{nome} ainda espera {}", Bytes(self.pendente())),
        )?;
        exigir(self.pendente().len() <= SAIDA_MAXIMA, "a saída tem teto", || {
            format!("{nome} espera {} bytes", self.pendente().len())
        })?;
        let despede = matches!(self.vida, Vida::Despedida | Vida::Dispensada);
        exigir(!despede || !self.ouviu_tudo(), "quem ouviu a última palavra ouve o fim", || {
            format!("{nome} está {:?}", self.vida)
        })?;
        let sem_anuncio = rede.canos[nome].as_ref().is_some_and(Cano::sem_anuncio);
        exigir(
            !sem_anuncio || !self.se_le() || self.sabe.legivel,
            "nada fica por ler sem um evento que o anuncie",
            || format!("{nome} tem bytes ou um fim de que ninguém mais falará"),
        )
    }

    /// Sossegada, ela não espera mais nada do balcão?
    pub fn conferir_o_sossego(&self, rede: &Rede, encerrando: bool) -> Veredito {
        let Some(cano) = &rede.canos[self.nome] else { return Ok(()) };
        let lida = cano.por_ler() == 0 && !cano.sem_anuncio();
        let sossegada = match self.vida {
            Vida::Atendida => lida && self.ouviu_tudo() && !encerrando,
            Vida::Escoando { .. } => lida,
            _ => false,
        };
        exigir(sossegada, "sem mais faltas, tudo se conclui", || {
            format!("{} está {:?}, com {} bytes por ler", self.nome, self.vida, cano.por_ler())
        })
    }

    /// Algum prazo dela venceu?
    pub fn venceu(&self, agora: u64, ocioso: Option<u64>) -> bool {
        let passou = |desde: u64, prazo: u64| agora.saturating_sub(desde) >= prazo;
        match self.vida {
            Vida::Morta => false,
            Vida::Escoando { desde } => passou(desde, PRAZO_DO_ADEUS.as_millis() as u64),
            _ if !self.ouviu_tudo() => passou(self.disse_em, PRAZO_DA_SAIDA.as_millis() as u64),
            _ if self.deve_ser_lida() => false,
            _ => {
                let prazo_da_linha = PRAZO_DA_LINHA.as_millis() as u64;
                self.linha_desde.is_some_and(|desde| passou(desde, prazo_da_linha))
                    || ocioso.is_some_and(|prazo| passou(self.leu_em.max(self.disse_em), prazo))
            }
        }
    }
}

/// Duas palavras ou mais, e a última diz HTTP/alguma coisa.
fn e_http(linha: &[u8]) -> bool {
    let palavras: Vec<&[u8]> = linha.split(|byte| *byte == b' ').collect();
    palavras.len() > 1 && palavras[palavras.len() - 1].starts_with(b"HTTP/")
}
