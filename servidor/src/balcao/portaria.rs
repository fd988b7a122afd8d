//! Quem entra, quem não cabe e quem sai do balcão. O que acontece entre uma coisa e outra é o turno.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use protocolo::Resposta;

use super::Balcao;
use super::filas::Posto;
use crate::conexao::{Conexao, Fim, Prontidao};
use crate::registro::Registro;

/// Quantos dos que não couberam podem estar, ao mesmo tempo, recebendo a explicação.
const LOTADOS_AO_MESMO_TEMPO: usize = 64;

impl<F: Read + Write> Balcao<F> {
    /// A chave que terá a conexão do próximo [`Balcao::admitir`]: quem espera eventos dela precisa
    /// saber antes.
    pub fn proxima_chave(&self) -> usize {
        self.postos.vacant_key()
    }

    /// Recebe uma conexão nova, ou a recusa com uma explicação se a casa está cheia, ou se já há demais do
    /// endereço dela.
    pub fn admitir(
        &mut self,
        fluxo: F,
        endereco: SocketAddr,
        agora: Instant,
        registro: &mut Registro,
    ) {
        let mut conexao = Conexao::nova(fluxo, endereco, agora);
        if let Some((recusa, fim)) = self.recusar(endereco) {
            registro.desconectou(endereco, fim, b"");
            conexao.anexar(agora, |saida| recusa.escrever(saida));
            conexao.despedir(fim);
            if self.lotados == LOTADOS_AO_MESMO_TEMPO {
                // Nem para explicar há lugar: diz uma vez e fecha.
                return conexao.escrever(agora, self.fechar_escrita, &mut self.saidas);
            }
            self.lotados += 1;
            self.inserir(conexao);
        } else {
            self.inserir(conexao);
            self.contas.conexoes += 1;
            self.contas.pico = self.contas.pico.max(self.ativas());
            registro.conectou(endereco, self.ativas());
            if self.limites.por_endereco.is_some() {
                self.lugares.ocupar(endereco.ip());
            }
        }
    }

    /// O que se diz a quem não pode entrar, e por que fim; conta a recusa.
    fn recusar(&mut self, endereco: SocketAddr) -> Option<(Resposta, Fim)> {
        if self.ativas() >= self.limites.conexoes {
            self.contas.lotadas += 1;
            return Some((Resposta::Lotado, Fim::Lotado));
        }
        let limite = self.limites.por_endereco?;
        (self.lugares.de(endereco.ip()) >= limite).then(|| {
            self.contas.lotadas_para_o_ip += 1;
            (Resposta::LotadoParaOIp, Fim::LotadoParaOIp)
        })
    }

    fn inserir(&mut self, conexao: Conexao<F>) {
        let posto =
            Posto { conexao, guardava: 0, na_leitura: false, na_escrita: false, na_remocao: false };
        let chave = self.postos.insert(posto);
        self.filas.enfileirar(chave, &mut self.postos[chave]);
    }

    pub(super) fn remover(&mut self, registro: &mut Registro) {
        for _ in 0..self.filas.remocao.len() {
            let Some(chave) = self.filas.remocao.pop_front() else { return };
            let posto = &mut self.postos[chave];
            posto.na_remocao = false;
            // Uma chave só troca de dono quando nada a guarda: nem a fila de `ler`, nem um lote por decidir.
            let guardada = posto.na_leitura || posto.conexao.aguarda();
            let Some(fim) = posto.conexao.encerrada().filter(|_| !guardada) else { continue };
            let Posto { conexao, guardava, .. } = self.postos.remove(chave);
            self.filas.guardados -= guardava as usize;
            if fim.recusada() {
                self.lotados -= 1;
            } else {
                self.movimento.terminou(fim);
                self.lugares.vagar(conexao.endereco().ip());
                registro.desconectou(conexao.endereco(), fim, conexao.inacabada());
            }
        }
    }

    /// O servidor vai fechar: cada conexão ainda lê o que já chegou, responde e se despede.
    ///
    /// Todas são marcadas como legíveis, ainda que não sejam: assim cada uma passa por `ler`, e é lá
    /// que se sabe que o socket secou e que a despedida pode começar. Até secar: um byte urgente cujo
    /// evento ainda não veio corta uma leitura no meio do que já chegou.
    pub fn encerrar(&mut self) {
        self.encerrando = true;
        for (chave, posto) in &mut self.postos {
            posto.conexao.marcar(Prontidao { ler_ate_secar: true, ..Prontidao::default() });
            self.filas.enfileirar(chave, posto);
        }
    }

    /// O prazo de fechar venceu: o registro diz quem ficou para trás.
    pub fn abandonar(&mut self, registro: &mut Registro) {
        self.filas.leitura.clear();
        for (chave, posto) in &mut self.postos {
            posto.na_leitura = false;
            posto.conexao.abandonar();
            self.filas.enfileirar(chave, posto);
        }
        self.remover(registro);
    }
}
